#include "options.h"

#include <sys/un.h>
#include <algorithm>
#include <charconv>
#include <string_view>

namespace millrace {

Error invalid(std::string what) { return {ErrorCode::invalid, std::move(what), {}}; }

namespace {

constexpr int concurrency_max = 1'024, prefetch_max = 8'192;

bool has_empty(const auto& functions) {
  return std::any_of(functions.begin(), functions.end(), [](const auto& f) { return !f; });
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), port);
  return wrong == std::errc{} && end == text.data() + text.size() && port > 0 && port <= 65'535;
}

bool is_host(std::string_view text) {
  const bool number6 = text.size() > 2 && text.front() == '[' && text.back() == ']';
  if (number6) text = text.substr(1, text.size() - 2);
  return !text.empty() && std::all_of(text.begin(), text.end(), [number6](char c) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return word || c == '.' || c == '-' || c == '_' || c == '%' || (number6 && c == ':');
  });
}

std::string version_text(std::uint32_t number) {
  return std::to_string(number / 1'000'000) + "." + std::to_string(number / 1'000 % 1'000) + "." +
         std::to_string(number % 1'000);
}

// Why it is no address; empty: it is one.
std::string wrong_address(std::string_view address) {
  constexpr std::string_view tcp = "tcp://", ipc = "ipc://";
  if (address.starts_with(tcp)) {
    address.remove_prefix(tcp.size());
    const auto colon = address.rfind(':');
    if (colon == std::string_view::npos) return "the address has no port";
    if (!is_host(address.substr(0, colon))) return "the address has no host";
    return is_port(address.substr(colon + 1)) ? "" : "a port must be from 1 to 65535";
  }
  if (!address.starts_with(ipc)) return "the address must begin with ipc:// or tcp://";
  address.remove_prefix(ipc.size());
  if (address.empty()) return "the address has no path";
  constexpr std::size_t path_max = sizeof(sockaddr_un::sun_path) - 1;
  return address.size() <= path_max ? ""
                                    : "the path of a socket must not be longer than " +
                                          std::to_string(path_max) + " bytes";
}

}  // namespace

std::optional<Error> misfit(const ProducerOptions& options) {
  if (options.in_flight_jobs_max == 0) return invalid("in_flight_jobs_max must be at least 1");
  if (options.in_flight_bytes_max == 0) return invalid("in_flight_bytes_max must be at least 1");
  if (options.batch_jobs_max == 0) return invalid("batch_jobs_max must be at least 1");
  if (options.deadline.count() <= 0) return invalid("deadline must be at least 1 ms");
  if (options.flush_at_destruction.count() < 0) {
    return invalid("flush_at_destruction must not be negative (0: the destructor does not wait)");
  }
  if (has_empty(options.middleware)) return invalid("middleware contains an empty function");
  return std::nullopt;
}

std::optional<Error> misfit(const WorkerOptions& options) {
  const auto range = [](const char* name, int least, int most, int given) {
    return invalid(std::string(name) + " must be from " + std::to_string(least) + " to " +
                   std::to_string(most) + ", not " + std::to_string(given));
  };
  if (options.concurrency < 1 || options.concurrency > concurrency_max) {
    return range("concurrency", 1, concurrency_max, options.concurrency);
  }
  if (options.prefetch < -1 || options.prefetch > prefetch_max) {
    return range("prefetch", -1, prefetch_max, options.prefetch);
  }
  if (options.drain.count() < 0) return invalid("drain must not be negative");
  if (options.require_encryption && options.payload_keys.empty()) {
    return invalid("require_encryption needs payload_keys: without them no job can be decrypted");
  }
  if (has_empty(options.middleware)) return invalid("middleware contains an empty function");
  return std::nullopt;
}

std::optional<Error> misfit(const ConnectionOptions& options, const std::string& from) {
  constexpr std::uint32_t patches = 1'000;
  if (options.headers_version / patches != MILLRACE_VERSION_NUMBER / patches) {
    return invalid("the program was compiled with the headers of Millrace " +
                   version_text(options.headers_version) + " and runs with the library of " +
                   std::string(version()) +
                   ": compile the program again with the headers of that version");
  }
  for (const std::string& address : options.brokers) {
    const std::string wrong = wrong_address(address);
    if (wrong.empty()) continue;
    return invalid(
        "'" + address + "'" + (from.empty() ? "" : ", from " + from + ",") +
        " is not a valid broker address: " + wrong +
        "; valid addresses are ipc:///run/millrace/millrace.sock and tcp://127.0.0.1:7300");
  }
  if (options.reply_patience.count() <= 0) return invalid("reply_patience must be at least 1 ms");
  return std::nullopt;
}

}  // namespace millrace
