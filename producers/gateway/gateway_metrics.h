// The metrics of the gateway beside those of its HTTP server, and the page of both for Prometheus.
// Threads: any.
#pragma once

#include "http/server.h"

#include <atomic>
#include <cstdint>
#include <string>

namespace millrace::gateway {

struct GatewayMetrics {
  std::atomic<std::uint64_t> stored{0}, rejected{0}, unknown{0};  // jobs
  std::atomic<bool> draining{false};
};

[[nodiscard]] std::string metrics_page(const GatewayMetrics& metrics,
                                       const http::ServerCounters& http, bool broker_connected);

}  // namespace millrace::gateway
