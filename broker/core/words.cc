// The words of states and reasons, as the protocol, the logs and the metrics spell them.
#include "core/job.h"

namespace millrace::core {

std::string_view to_string(State state) {
  switch (state) {
    case State::scheduled: return "scheduled";
    case State::blocked: return "blocked";
    case State::available: return "available";
    case State::running: return "running";
    case State::retryable: return "retryable";
    case State::completed: return "completed";
    case State::cancelled: return "cancelled";
    case State::dead: return "dead";
  }
  return "unknown";
}

std::string_view to_string(DeadReason reason) {
  switch (reason) {
    case DeadReason::none: return "";
    case DeadReason::exhausted: return "exhausted";
    case DeadReason::discarded: return "discarded";
    case DeadReason::expired: return "expired";
    case DeadReason::quarantined: return "quarantined";
  }
  return "unknown";
}

}  // namespace millrace::core
