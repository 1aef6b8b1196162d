// Visits every state that a world can reach, depth first: the world is in an arena, a state is its
// bytes, and a state that was visited before is not visited again.
#pragma once

#include "world.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace millrace::explore {

struct SearchResult {
  std::uint64_t states = 0, transitions = 0;
  std::size_t depth = 0;     // of the longest history that was followed
  bool complete = false;     // else a bound stopped it
  std::string violation;     // empty: none
  std::vector<Action> path;  // to the violation, made short
};

struct Limits {
  std::uint64_t states_max = 0;                   // 0: none
  std::chrono::steady_clock::time_point until{};  // 0: none
};

[[nodiscard]] SearchResult explore(const Bounds& bounds, const Limits& limits,
                                   const std::function<void(const SearchResult&)>& progress);

}  // namespace millrace::explore
