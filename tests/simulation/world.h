// A simulated world: producers, workers, hostile clients, query clients, a network, and a machine
// with the broker, all driven by a plan. The same plan gives the same steps, to the last byte on
// the disk.
#pragma once

#include "checker.h"
#include "plan.h"

#include <cstdint>
#include <string>

namespace millrace::testing {

struct RunResult {
  std::string violation;   // the first, in a line; empty when all held
  std::string violations;  // all, a line each
  std::uint64_t digest = 0;
  std::size_t events = 0;
};

[[nodiscard]] RunResult run_world(const Plan& plan, bool tracing);

}  // namespace millrace::testing
