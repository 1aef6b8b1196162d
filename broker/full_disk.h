// A start on a full disk could only fail, and a supervisor gives up after a few failed starts: so
// the start waits until there is space, and the service continues by itself.
#pragma once

#include "config.h"

#include <csignal>

namespace millrace {

// True at once if there is space, or if it cannot be determined; false if one of the signals (they
// are blocked) ended the wait.
[[nodiscard]] bool wait_for_space(const Config& config, const sigset_t& signals);

}  // namespace millrace
