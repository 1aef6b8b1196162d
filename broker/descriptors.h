// The budget of file descriptors: how many the process may open, and how many of them are for
// connections. The reserve is for the store, backups, the log and HTTP; the budget is calculated
// only here.
#pragma once

#include "config.h"

#include <string>

namespace millrace {

struct Descriptors {
  int limit = 0;  // RLIMIT_NOFILE after the start has raised it, as far as it is used
  int line = 0;   // connections have numbers below it; the rest is the reserve
  unsigned http_connections = 0;  // at most, out of the reserve
};

// Raises the limit to the hard one. wrong: a sentence when it is too low to serve at all.
struct DescriptorPlan {
  Descriptors plan;
  std::string wrong;
};
[[nodiscard]] DescriptorPlan plan_descriptors(const Config& config);

}  // namespace millrace
