// A start on a full disk could only fail, and a supervisor gives up after a few of them: so the
// start waits until there is space, and the service comes back by itself.
#pragma once

#include "config.h"

#include <csignal>

namespace millrace {

// True at once where there is space, or where it cannot be told; false when one of the signals
// (they are blocked) ended the wait.
[[nodiscard]] bool wait_for_space(const Config& config, const sigset_t& signals);

}  // namespace millrace
