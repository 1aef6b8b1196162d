// The only place that reads clocks, and the detection of jumps of the wall clock.
#pragma once

#include "core/job.h"

#include <chrono>
#include <cstdint>

namespace millrace::runtime {

[[nodiscard]] inline core::Now read_clocks() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return {duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

// The wall clock may be set while the process runs; the monotonic one may not. Read at each tick; a
// clock that is only slewed does not count as set.
class WallWatch {
 public:
  // By how many milliseconds it was set forward (or back: negative) since the last call; 0: it was
  // not set.
  [[nodiscard]] std::int64_t look(core::Now now) {
    const std::int64_t ahead_ms = now.wall_ms - now.mono_ms;
    const std::int64_t jump_ms = looked_ ? ahead_ms - ahead_ms_ : 0;
    looked_ = true;
    ahead_ms_ = ahead_ms;
    return jump_ms >= jump_ms_min || jump_ms <= -jump_ms_min ? jump_ms : 0;
  }

 private:
  static constexpr std::int64_t jump_ms_min = 1'000;
  std::int64_t ahead_ms_ = 0;
  bool looked_ = false;
};

}  // namespace millrace::runtime
