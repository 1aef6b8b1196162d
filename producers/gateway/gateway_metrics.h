// The metrics of the gateway, and their page for Prometheus. Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace millrace::gateway {

struct GatewayMetrics {
  std::array<std::atomic<std::uint64_t>, 600> answers{};  // by status
  std::atomic<std::uint64_t> accepted{0}, refused{0}, displaced{0}, expired{0};
  std::atomic<std::uint64_t> stored{0}, rejected{0}, unknown{0};  // jobs
  std::atomic<std::uint64_t> connections{0}, connections_max{0}, body_bytes{0};
  std::atomic<bool> full{false}, draining{false};
};

[[nodiscard]] std::string metrics_page(const GatewayMetrics& metrics, bool broker_connected);

}  // namespace millrace::gateway
