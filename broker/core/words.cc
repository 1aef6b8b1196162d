// The names of states, reasons and events, as the protocol, the logs and the metrics spell them.
#include "core/effect.h"
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

std::string_view to_string(EventKind kind) {
  switch (kind) {
    case EventKind::enqueued: return "enqueued";
    case EventKind::delivered: return "delivered";
    case EventKind::completed: return "completed";
    case EventKind::retried: return "retried";
    case EventKind::released: return "released";
    case EventKind::crashed: return "crashed";
    case EventKind::cancelled: return "cancelled";
    case EventKind::died: return "died";
    case EventKind::requeued: return "requeued";
    case EventKind::purged: return "purged";
    case EventKind::session_opened: return "session_opened";
    case EventKind::session_closed: return "session_closed";
    case EventKind::session_lost: return "session_lost";
  }
  return "unknown";
}

}  // namespace millrace::core
