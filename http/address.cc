// Addresses to listen on, as people write them. By number only: a name may mean anything tomorrow.
#include "http/server.h"

#include <arpa/inet.h>
#include <charconv>

namespace millrace::http {
namespace {

bool is_six(const std::string& host) { return host.find(':') != std::string::npos; }

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Address address;
  const std::string_view port = text.substr(colon + 1);
  const auto [end, wrong] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (wrong != std::errc{} || end != port.data() + port.size()) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  address.host = host;
  in6_addr number{};
  if (inet_pton(bracketed ? AF_INET6 : AF_INET, address.host.c_str(), &number) != 1) {
    return std::nullopt;
  }
  return address;
}

std::string to_string(const Address& address) {
  const std::string host = is_six(address.host) ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

bool is_loopback(const Address& address) {
  in6_addr number{};
  if (!is_six(address.host)) return address.host.starts_with("127.");
  return inet_pton(AF_INET6, address.host.c_str(), &number) == 1 && IN6_IS_ADDR_LOOPBACK(&number);
}

}  // namespace millrace::http
