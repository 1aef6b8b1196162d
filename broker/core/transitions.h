// The state transitions of a job as one table: state x trigger -> state. An impossible transition
// has a name, so that a bug that reaches it reports which invariant it broke.
#pragma once

#include "core/job.h"

namespace millrace::core {

enum class Trigger : std::uint8_t {
  due,      // its due time came
  deliver,  // delivered to a worker
  complete,
  retry,     // failed or its worker died, attempts left
  give_up,   // failed for good: exhausted, discarded, quarantined
  put_back,  // released
  cancel,
  requeue,  // taken out of the dead-letter queue
};
inline constexpr int triggers = 8;
inline constexpr int states = 8;

struct Cell {
  State to = State::available;
  const char* impossible = nullptr;  // the name of the cell, when it cannot happen
};

[[nodiscard]] Cell look_up(State from, Trigger trigger);

// The next state; an impossible cell is a bug and stops the process with its name.
State transit(State from, Trigger trigger);

}  // namespace millrace::core
