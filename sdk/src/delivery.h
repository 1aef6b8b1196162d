// One delivery in a worker: the handler's view of the job, and the session's bookkeeping for it.
// Threads: the handler's thread and the loop's; data that both use is guarded or atomic.
#pragma once

#include "job_messages.h"
#include "link.h"

#include <millrace/worker.h>

#include <atomic>
#include <mutex>
#include <stop_token>

namespace millrace {

// The stop request with its reason, and the last progress.
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

  // Runs the handler with this delivery as its JobContext.
  HandlerResult run(const Handler& handler) {
    JobContext context(*this);
    return handler(context);
  }

  // The first reason stays.
  void request_stop(StopReason reason);
  // Resets it for another job; no other object may refer to it any more.
  void reset();
  struct Progress {
    int percent = 0;
    std::string note;
  };
  [[nodiscard]] std::optional<Progress> take_progress();

 private:
  mutable std::mutex mutex_;  // guards what follows
  // Created on the first use: most handlers never use it.
  mutable std::stop_source stop_{std::nostopstate};
  std::optional<Progress> progress_;  // not sent yet

  std::atomic<StopReason> reason_{StopReason::none};  // written under the mutex
};

}  // namespace millrace
