// When to send the next job at a given rate: job n at n / rate after the first. A late send does
// not delay the sends after it.
#pragma once

#include "tally.h"
#include "zmq_link.h"

#include <algorithm>
#include <cstdint>

namespace millrace::bench {

class Pace {
 public:
  explicit Pace(std::uint64_t jobs_per_s) : jobs_per_s_(jobs_per_s), begun_ns_(now_ns()) {}

  [[nodiscard]] bool paces() const { return jobs_per_s_ > 0; }
  [[nodiscard]] bool due(std::uint64_t sent) const { return !paces() || now_ns() >= due_ns(sent); }
  // How long to wait for an answer before it is time to send again.
  [[nodiscard]] int wait_ms(std::uint64_t sent, std::uint64_t jobs) const {
    if (!paces() || sent >= jobs) return patience_ms;
    const std::uint64_t now = now_ns(), due = due_ns(sent);
    if (due <= now) return 0;
    return static_cast<int>(std::min<std::uint64_t>((due - now + 999'999) / 1'000'000, 1'000));
  }

 private:
  [[nodiscard]] std::uint64_t due_ns(std::uint64_t sent) const {
    return begun_ns_ + sent * 1'000'000'000 / jobs_per_s_;
  }
  std::uint64_t jobs_per_s_, begun_ns_;
};

}  // namespace millrace::bench
