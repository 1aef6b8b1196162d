// A broken invariant is a bug: its name is printed and the process stops before it stores a wrong
// state.
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
