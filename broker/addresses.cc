#include "addresses.h"

#include "config.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>

namespace millrace {
namespace {

constexpr std::size_t socket_path_bytes_max = 107;  // sun_path, less its zero
constexpr std::uint32_t port_max = 65'535;
constexpr std::string_view ipc = "ipc://", tcp = "tcp://";

bool is_loopback(const std::string& host) {
  in_addr number{};
  return host == "localhost" || host == "[::1]" ||
         (inet_pton(AF_INET, host.c_str(), &number) == 1 && host.rfind("127.", 0) == 0);
}

std::optional<std::uint64_t> port_of(std::string_view text) {
  std::uint64_t port = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, port);
  if (text.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return port;
}

std::string host_of(const std::string& address) {
  return address.substr(tcp.size(), address.rfind(':') - tcp.size());
}

bool is_number(const std::string& host) {
  in_addr number{};
  in6_addr number6{};
  if (inet_pton(AF_INET, host.c_str(), &number) == 1) return true;
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &number6) == 1;
}

std::string wrong_path(const std::string& address, std::uint32_t shards) {
  const std::string path = address.substr(ipc.size());
  if (path.empty() || path.front() != '/' || path.back() == '/') {
    return "an ipc:// address must have an absolute path: ipc:///path";
  }
  if (shard_address(address, shards - 1).size() - ipc.size() > socket_path_bytes_max) {
    return "the path of a socket must not be longer than 107 bytes";
  }
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    const std::string name = shard_address(address, shard).substr(ipc.size());
    struct stat found {};
    if (::lstat(name.c_str(), &found) != 0 || S_ISSOCK(found.st_mode)) continue;
    return name + " exists and is not a socket: move it away or choose another address";
  }
  return {};
}

std::string wrong_port(const std::string& address, std::uint32_t shards) {
  const auto port = port_of(std::string_view(address).substr(address.rfind(':') + 1));
  if (!port || *port > port_max) return "a port must be a number from 1 to 65535, in " + address;
  if (*port == 0) {
    return "port 0 is not allowed: the port would change at each start and clients could not find "
           "it";
  }
  if (*port + shards - 1 <= port_max) return {};
  return "each shard needs a port of its own: the last of " + std::to_string(shards) +
         " shards would have the port " + std::to_string(*port + shards - 1) +
         ", but the highest port is 65535";
}

}  // namespace

std::string wrong_address(const std::string& address, std::uint32_t shards, bool keys) {
  if (address.rfind(ipc, 0) == 0) return wrong_path(address, shards);
  if (address.rfind(tcp, 0) != 0 || address.rfind(':') < tcp.size()) {
    return "an address must be ipc:///path or tcp://127.0.0.1:port";
  }
  const std::string host = host_of(address);
  if (!keys && !is_loopback(host)) {
    return "no keys are configured, so anybody could connect to " + address +
           ": listen on ipc:// or on a loopback address, or set [access] keys_dir "
           "(docs/security.md)";
  }
  if (!is_loopback(host) && !is_number(host) && host != "*") {
    return "listen on an address of this machine by its number, or on 0.0.0.0, [::] or * for all "
           "of them, not on '" +
           host + "'";
  }
  return wrong_port(address, shards);
}

std::string wrong_advertised(const std::string& address, std::uint32_t shards) {
  if (address.rfind(tcp, 0) != 0 || address.rfind(':') < tcp.size() || host_of(address).empty()) {
    return "an address for clients must be tcp://HOST:PORT";
  }
  if (means_all_addresses(address)) {
    return address + " means every address of a machine: name the one that clients connect to";
  }
  return wrong_port(address, shards);
}

bool means_all_addresses(const std::string& address) {
  if (address.rfind(tcp, 0) != 0) return false;
  const std::string host = host_of(address);
  return host == "*" || host == "0.0.0.0" || host == "[::]";
}

std::string place_of(const std::string& address, std::uint32_t shard) {
  const std::string own = shard_address(address, shard);
  if (own.rfind(ipc, 0) == 0) {
    const std::filesystem::path path(own.substr(ipc.size()));
    std::error_code error;
    const auto folder = std::filesystem::weakly_canonical(path.parent_path(), error);
    return std::string(ipc) + (error ? path : folder / path.filename()).string();
  }
  const auto colon = own.rfind(':');
  const std::string host = host_of(own);
  const auto port = port_of(std::string_view(own).substr(colon + 1)).value_or(0);
  return std::string(tcp) + (host == "localhost" ? "127.0.0.1" : host) + ":" + std::to_string(port);
}

std::string socket_folder(const std::string& address) {
  if (address.compare(0, ipc.size(), ipc) != 0) return {};
  return std::filesystem::path(address.substr(ipc.size())).parent_path();
}

}  // namespace millrace
