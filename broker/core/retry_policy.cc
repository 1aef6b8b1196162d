#include "core/retry_policy.h"

#include <algorithm>

namespace millrace::core {
namespace {

std::int64_t polynomial_ms(std::int64_t attempt) {
  // Beyond 72 the fourth power passes the cap of 24 h; the bound keeps it from overflowing.
  const std::int64_t n = std::min<std::int64_t>(attempt, 72);
  return (n * n * n * n + 15) * 1'000;
}

std::int64_t exponential_ms(std::int64_t first_ms, std::uint32_t attempt, std::int64_t cap_ms) {
  std::int64_t wait = first_ms;
  for (std::uint32_t i = 1; i < attempt && wait < cap_ms; ++i) wait *= 2;
  return wait;
}

}  // namespace

std::int64_t backoff_ms(const TopicSettings& settings, std::uint32_t attempt, Random& random) {
  const std::int64_t cap = std::min(settings.backoff_ms_max, backoff_ms_cap);
  const std::int64_t wait = settings.backoff_ms_min == 0
                                ? polynomial_ms(attempt)
                                : exponential_ms(settings.backoff_ms_min, attempt, cap);
  const std::int64_t base = std::min(wait, cap);
  const std::int64_t spread = base / 10;
  if (spread == 0) return base;
  const auto width = static_cast<std::uint64_t>(2 * spread + 1);
  return base - spread + static_cast<std::int64_t>(random.next() % width);
}

}  // namespace millrace::core
