// One delivery in a worker's hands: what the handler sees, and what the session must know of it.
// Threads: the handler's thread and the loop's; what both touch is guarded or atomic.
#pragma once

#include "job_messages.h"
#include "link.h"

#include <millrace/worker.h>

#include <atomic>
#include <mutex>
#include <stop_token>

namespace millrace {

// Why and when to stop, and the last progress.
class MILLRACE_HIDDEN Delivery {
 public:
  DeliveredJob job;
  std::uint64_t token = 0;
  std::size_t shard = 0;

  // Guarded by the worker's mutex.
  bool running = false;
  std::size_t slot = 0;   // among the running
  bool gone = false;      // the broker no longer takes its outcome
  bool settling = false;  // its outcome was sent, not answered: that message grants its credit
  Clock::time_point run_until = Clock::time_point::max();

  [[nodiscard]] std::stop_token stop() const;
  [[nodiscard]] StopReason stop_reason() const { return reason_; }
  void progress(int percent, std::string_view note);

  // Runs the handler, which sees this delivery as its JobContext.
  HandlerResult run(const Handler& handler) {
    JobContext context(*this);
    return handler(context);
  }

  // The first reason stays.
  void request_stop(StopReason reason);
  // As new, for another job; nobody else may know of it any more.
  void reset();
  struct Progress {
    int percent = 0;
    std::string note;
  };
  [[nodiscard]] std::optional<Progress> take_progress();

 private:
  mutable std::mutex mutex_;  // guards what follows
  // Made when it is asked for: most handlers never do.
  mutable std::stop_source stop_{std::nostopstate};
  std::optional<Progress> progress_;  // not sent yet

  std::atomic<StopReason> reason_{StopReason::none};  // written under the mutex
};

}  // namespace millrace
