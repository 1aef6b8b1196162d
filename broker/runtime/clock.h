// The one place that reads clocks.
#pragma once

#include "core/job.h"

#include <chrono>

namespace millrace::runtime {

[[nodiscard]] inline core::Now read_clocks() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return {duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

}  // namespace millrace::runtime
