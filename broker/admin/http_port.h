// The port of machines that watch the broker: GET and HEAD, one page a path, in a thread and a loop
// of its own, so that a slow reader costs the shards nothing.
// Threads: start and the destructor on the owner's; pages are made on the port's.
#pragma once

#include "access/key_ring.h"
#include "admin/metrics.h"
#include "admin/shard_snapshots.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::admin {

// As the configuration has checked them.
struct HttpSettings {
  std::string address;                      // 127.0.0.1:PORT or [::1]:PORT; port 0: a free one
  std::string tls_cert_file, tls_key_file;  // both, or neither: without TLS
  std::vector<std::string> trusted_proxies;
  // Metrics are for bearers of a token with the role look and every topic; null: for everybody.
  const access::KeyRing* tokens = nullptr;
  // The certificate was read, or a new one cannot be used.
  std::function<void(bool well, const std::string& what)> on_certificate;
  // Of each request: its client, method, path and status.
  std::function<void(const std::string& line)> on_request;
};
// Empty where the certificate and its key can be used, or there is none; else a sentence.
[[nodiscard]] std::string wrong_with_certificate(const HttpSettings& settings);

class HttpPort {
 public:
  // snapshots and metrics outlive it.
  HttpPort(const HttpSettings& settings, unsigned connections_max, const ShardSnapshots& snapshots,
           Metrics& metrics);
  ~HttpPort();
  HttpPort(const HttpPort&) = delete;
  HttpPort& operator=(const HttpPort&) = delete;

  // Empty when it listens, else a sentence.
  [[nodiscard]] std::string start();
  [[nodiscard]] std::uint16_t port() const;
  void reload_certificate();  // from any thread

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace millrace::admin
