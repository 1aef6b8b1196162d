// A broken invariant is a bug: say which and stop before anything false is stored.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace millrace::core {

inline void require(bool holds, const char* invariant) {
  if (holds) return;
  std::fprintf(stderr, "millrace: broken invariant: %s\n", invariant);
  std::abort();
}

}  // namespace millrace::core
