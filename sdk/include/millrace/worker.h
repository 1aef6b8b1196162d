// Worker: runs handlers for the jobs of topics.
//
// At least once, fenced: a handler may run again after a crash or a lost lease, and only the
// current delivery can settle a job. A handler answers done(), retry(), discard() or release(); an
// exception means retry with what() recorded.
//
// Stop: JobContext::stop is requested when the job was cancelled, its lease was lost, its run-time
// limit passed, or drain ended its patience; stop_reason() says which. Its callbacks run on the
// background thread, for draining on the thread that stops the Worker: they must not block or
// throw.
//
// Threads: `concurrency` handler threads and one background thread (that of the Connection where
// one is shared) that keeps the session alive, so a long handler never loses its lease. Handlers
// run concurrently and share nothing of ours. Members may be called from any thread. Our threads
// take no signal of the application's; what a handler starts with fork() inherits that mask
// (docs/sdk.md).
//
// Inside a handler, and inside a callback of a Connection that it shares: stop() asks for the stop
// and returns false; destroying the Worker there is a programmer error: it says so and aborts.
//
// fork(): a Worker belongs to the process that made it. In a child start() and handle() are
// refused, stop() and run() are false at once, counts() are 0, and destruction does nothing at all.
#pragma once

#include <millrace/connection.h>
#include <millrace/export.h>
#include <millrace/job.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

enum class StopReason : std::uint8_t { none, cancelled, lease_lost, run_time_limit, draining };
[[nodiscard]] MILLRACE_EXPORT std::string_view to_string(StopReason reason);

// What a handler says of a job. Made by the functions below.
struct HandlerResult {
  enum class Kind : std::uint8_t { done, retry, discard, release, crashed };
  Kind kind = Kind::done;
  std::string text;  // done: the result (at most 64 KiB); else the error (at most 4 KiB, its tail)
  std::optional<std::chrono::milliseconds> retry_after;
};
[[nodiscard]] MILLRACE_EXPORT HandlerResult done(std::string result = {});
[[nodiscard]] MILLRACE_EXPORT HandlerResult
retry(std::string why, std::optional<std::chrono::milliseconds> after = {});
[[nodiscard]] MILLRACE_EXPORT HandlerResult discard(std::string why);
[[nodiscard]] MILLRACE_EXPORT HandlerResult
release();  // hand it back unstarted: no attempt is counted
// The job took its process down (signal, out of memory): counts as a worker's death.
[[nodiscard]] MILLRACE_EXPORT HandlerResult crashed(std::string how);

class MILLRACE_HIDDEN Delivery;
struct DeliveredJob;

// One delivery, while its handler runs. Valid only inside the handler, on any thread there; what
// the views show too.
class MILLRACE_EXPORT JobContext {
 public:
  JobContext(const JobContext&) = delete;
  JobContext& operator=(const JobContext&) = delete;
  [[nodiscard]] const JobId& id() const;
  [[nodiscard]] std::string_view payload() const;
  [[nodiscard]] std::string_view key() const;
  // One with an empty name holds what a client of 0.1 sent, as it is: bytes that are no map.
  [[nodiscard]] const std::map<std::string, std::string>& headers() const;
  [[nodiscard]] int attempt() const;  // 1 on the first
  [[nodiscard]] int max_attempts() const;
  [[nodiscard]] std::chrono::system_clock::time_point enqueued_at() const;
  [[nodiscard]] std::chrono::milliseconds run_time_limit() const;  // 0: none
  [[nodiscard]] std::stop_token stop() const;
  [[nodiscard]] StopReason stop_reason() const;
  // Shown to people: 0 to 100 (what is beyond is taken as the nearer of them) and a note of at most
  // 256 bytes (the rest is cut). May be called often: the last one is sent, at most each 100 ms.
  void progress(int percent, std::string_view note = {});

 private:
  friend class Delivery;
  explicit JobContext(Delivery& delivery) : delivery_(delivery) {}
  [[nodiscard]] MILLRACE_HIDDEN const DeliveredJob& job() const;
  Delivery& delivery_;
};

using Handler = std::function<HandlerResult(JobContext&)>;

// Runs around a handler: next(job) runs the rest, and what it returns becomes of the job. It may
// leave next out, run it again, look at its result or catch its exception.
using HandlerMiddleware = std::function<HandlerResult(JobContext&, const Handler& next)>;

struct WorkerOptions {
  ConnectionOptions connection;
  std::shared_ptr<Connection> shared_connection;  // in place of it; both given: invalid
  int concurrency = 5;
  int prefetch = -1;  // deliveries held ready beyond the running ones; -1: as many as concurrency
  std::chrono::milliseconds drain{25'000};  // patience with running handlers at stop
  // Around each handler, on its thread, in this order: the first is the outermost. An exception out
  // of the outermost is one out of the handler.
  std::vector<HandlerMiddleware> middleware;
};

class MILLRACE_EXPORT Worker {
 public:
  explicit Worker(WorkerOptions options = {});
  ~Worker();  // stops, with drain
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before start(): handles the jobs of a topic, one handler a topic. Refused (invalid) after
  // start(), with a name that is none, without a function, and for a topic that has a handler
  // already, which stays; after a refusal start() is refused too. What is refused here and by
  // start() is also told to ConnectionOptions::log, so that nobody has to look at the result.
  Result<void> handle(std::string topic, Handler handler);

  // Connects in the background, at once. Refused, and nothing runs: without handlers, with options
  // that are wrong (invalid, which names the option), after stop(). Again while it runs: nothing.
  Result<void> start();
  // No new deliveries; unstarted jobs are handed back at once; waits for the running ones up to
  // options.drain, then requests their stop and waits for them to end. Everything that finished is
  // settled, and answered, before it returns true; false if the broker does not answer within 10 s.
  // Inside a handler it would wait for itself: it asks for the stop and returns false at once; no
  // more jobs are taken, run() returns, and the next stop() or the destructor does the rest.
  bool stop();
  // start(), then returns after the token is stopped, a handler asked for the stop, or the broker
  // refused the topics, and drained, with what stop() said; false if start() or the topics were
  // refused.
  bool run(std::stop_token until);
  // Why this worker gets no jobs and never will: a topic that does not exist and may not be made on
  // first use (unknown_topic), or one that it may not have. Told to ConnectionOptions::log as well.
  // Refusals that waiting mends (overloaded, shutting_down) are asked again and never seen here.
  [[nodiscard]] std::optional<Error> refused() const;

  struct Counts {
    std::uint64_t delivered = 0, completed = 0, retried = 0, discarded = 0, released = 0, lost = 0;
    std::uint64_t running = 0;
  };
  [[nodiscard]] Counts counts() const;
  // Whether every known shard has taken the session and its topics; a watchdog feeds on
  // last_alive().
  [[nodiscard]] bool connected() const;
  [[nodiscard]] std::chrono::steady_clock::time_point last_alive()
      const;  // its own loop's last turn

 private:
  class MILLRACE_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
