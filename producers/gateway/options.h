// The gateway's command line.
#pragma once

#include "http/server.h"

#include <millrace/encryption.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace millrace::gateway {

struct Options {
  http::Address listen{"127.0.0.1", 8080};
  std::vector<std::string> brokers;
  std::string key_file;  // for the broker
  std::string keys_dir;  // whose tokens are accepted; empty: none is required
  std::string payload_keys_file;
  PayloadKeys payload_keys;  // read from it
  unsigned connections_max = 4'096;
  std::size_t body_bytes_max = 4U << 20, bodies_bytes_max = 256U << 20;
  std::chrono::milliseconds timeout{5'000}, drain{5'000};
  std::string tls_cert, tls_key;  // both or neither
  std::vector<http::Network> trusted_proxies;
  bool log_requests = false, help = false, version = false;
};

struct ReadOptions {
  Options options;
  std::string error;  // empty when well
};
[[nodiscard]] ReadOptions read_options(int count, char** arguments);
[[nodiscard]] const char* usage();

}  // namespace millrace::gateway
