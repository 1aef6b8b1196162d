// Who sent a request: the peer of the connection, or the client that a trusted proxy in front
// names.
#pragma once

#include "http/server.h"

#include <string>
#include <string_view>
#include <vector>

namespace millrace::http {

// What the connection and the headers of one request say.
struct Origin {
  std::string peer;  // the address of the connection, by its number
  bool tls = false;
  // The values of X-Forwarded-For and X-Forwarded-Proto; several headers are joined with commas.
  std::string forwarded_for, forwarded_proto;
};
struct Caller {
  std::string client;   // an address by its number, IPv4 as IPv4
  bool secure = false;  // no hop from the client on was without TLS, as far as trusted proxies say
};
// X-Forwarded-For is read from its end, as each proxy appends the address that it saw: the first
// address that is not of a trusted proxy is the client. What stands in front of it, or of a word
// that is no address, could be written by anyone and does not count.
[[nodiscard]] Caller caller_of(const Origin& origin, const std::vector<Network>& trusted);

}  // namespace millrace::http
