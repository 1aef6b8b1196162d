// How long a failed job waits before its next attempt.
#pragma once

#include "core/job.h"

#include <cstdint>

namespace millrace::core {

// A small generator with a state of 64 bits (SplitMix64: Steele, Lea, Flood 2014), seeded from
// outside so that the engine stays a function of its inputs.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

// attempt: how many were made, from 1. With backoff_ms_min 0: attempt^4 + 15 s; else
// backoff_ms_min * 2^(attempt - 1). Both at most backoff_ms_max, then +-10 % of jitter, so that
// jobs which failed together do not come back together.
[[nodiscard]] std::int64_t backoff_ms(const TopicSettings& settings, std::uint32_t attempt,
                                      Random& random);

}  // namespace millrace::core
