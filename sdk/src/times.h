// Durations and points of time made from external numbers: a broker's milliseconds, a caller's
// timeout. The clocks count nanoseconds in 64 bits, 292 years; longer values are reduced to that
// maximum.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace millrace {

using Clock = std::chrono::steady_clock;

inline constexpr std::chrono::milliseconds span_max =
    std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds::max());

[[nodiscard]] constexpr std::chrono::milliseconds span_of(std::uint64_t ms) {
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(std::min<std::uint64_t>(ms, span_max.count())));
}

// Milliseconds since 1970, the format of times in the protocol.
[[nodiscard]] constexpr std::chrono::system_clock::time_point time_of(std::uint64_t ms) {
  return std::chrono::system_clock::time_point(span_of(ms));
}
[[nodiscard]] constexpr std::optional<std::chrono::system_clock::time_point> time_of(
    std::optional<std::uint64_t> ms) {
  if (!ms) return std::nullopt;
  return time_of(*ms);
}

// The moment `span` from now; a span below 0 is now.
[[nodiscard]] inline Clock::time_point after(std::chrono::milliseconds span) {
  const auto now = Clock::now();
  const auto left = std::chrono::floor<std::chrono::milliseconds>(Clock::time_point::max() - now);
  return now + std::clamp(span, std::chrono::milliseconds(0), left);
}

}  // namespace millrace
