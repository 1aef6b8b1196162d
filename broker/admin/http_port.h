// The port of machines that watch the broker: GET and HEAD, one page a path, in a thread and a loop
// of its own, so that a slow reader costs the shards nothing.
// Threads: start and the destructor on the owner's; pages are made on the port's.
#pragma once

#include "admin/metrics.h"
#include "admin/shard_snapshots.h"

#include <cstdint>
#include <memory>
#include <string>

namespace millrace::admin {

class HttpPort {
 public:
  // address: 127.0.0.1:PORT or [::1]:PORT, checked by the configuration; port 0: a free one.
  // snapshots and metrics outlive it.
  HttpPort(const std::string& address, unsigned connections_max, const ShardSnapshots& snapshots,
           Metrics& metrics);
  ~HttpPort();
  HttpPort(const HttpPort&) = delete;
  HttpPort& operator=(const HttpPort&) = delete;

  // Empty when it listens, else a sentence.
  [[nodiscard]] std::string start();
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace millrace::admin
