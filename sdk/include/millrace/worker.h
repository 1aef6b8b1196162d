// Worker: runs handlers for the jobs of topics.
//
// At least once, fenced: a handler may run again after a crash or a lost lease, and only the
// current delivery can settle a job. A handler returns done(), retry(), discard() or release(); an
// exception means retry with what() recorded.
//
// Stop: JobContext::stop is requested when the job was cancelled, its lease was lost, its run-time
// limit passed, or the drain timeout passed; stop_reason() says which. Its callbacks run on the
// background thread, for draining on the thread that stops the Worker: they must not block or
// throw.
//
// Threads: `concurrency` handler threads and one background thread (that of the Connection if one
// is shared) that keeps the session alive, so a long handler never loses its lease. Handlers run
// concurrently and share no state of the SDK. Members may be called from any thread. The SDK's
// threads handle no signals of the application; a process that a handler starts with fork()
// inherits that signal mask (docs/sdk.md).
//
// Inside a handler, and inside a callback of a Connection that it shares: stop() requests the stop
// and returns false; destroying the Worker there is a programmer error: the SDK prints a message
// and aborts.
//
// fork(): a Worker belongs to the process that made it. In a child start() and handle() are
// refused, stop() and run() return false at once, counts() are 0, and destruction does nothing at
// all.
#pragma once

#include <millrace/connection.h>
#include <millrace/encryption.h>
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

// The outcome of a handler. Made by the functions below.
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
release();  // release the job unstarted: no attempt is counted
// The job killed its process (signal, out of memory): counts as a worker death.
[[nodiscard]] MILLRACE_EXPORT HandlerResult crashed(std::string how);

class MILLRACE_HIDDEN Delivery;
struct DeliveredJob;

// One delivery, while its handler runs. Valid only inside the handler, on any thread; so are the
// views that it returns.
class MILLRACE_EXPORT JobContext {
 public:
  JobContext(const JobContext&) = delete;
  JobContext& operator=(const JobContext&) = delete;
  [[nodiscard]] const JobId& id() const;
  [[nodiscard]] std::string_view payload() const;
  [[nodiscard]] std::string_view key() const;
  // A header with an empty name holds the bytes that a client of 0.1 sent, which are not a map.
  [[nodiscard]] const std::map<std::string, std::string>& headers() const;
  [[nodiscard]] int attempt() const;  // 1 on the first
  [[nodiscard]] int max_attempts() const;
  [[nodiscard]] std::chrono::system_clock::time_point enqueued_at() const;
  [[nodiscard]] std::chrono::milliseconds run_time_limit() const;  // 0: none
  [[nodiscard]] std::stop_token stop() const;
  [[nodiscard]] StopReason stop_reason() const;
  // Progress in the job's view: 0 to 100 (other values are clamped) and a note of at most 256 bytes
  // (a longer note is truncated). May be called often: the last value is sent, at most every 100
  // ms.
  void progress(int percent, std::string_view note = {});

 private:
  friend class Delivery;
  explicit JobContext(Delivery& delivery) : delivery_(delivery) {}
  [[nodiscard]] MILLRACE_HIDDEN const DeliveredJob& job() const;
  Delivery& delivery_;
};

using Handler = std::function<HandlerResult(JobContext&)>;

// Runs around a handler: next(job) runs the next middleware or the handler, and the value that the
// middleware returns is the outcome of the job. It may skip next, run it again, inspect its result
// or catch its exception.
using HandlerMiddleware = std::function<HandlerResult(JobContext&, const Handler& next)>;

struct WorkerOptions {
  ConnectionOptions connection;
  std::shared_ptr<Connection> shared_connection;  // instead of connection; both set: invalid
  int concurrency = 5;
  int prefetch = -1;  // deliveries held ready beyond the running ones; -1: as many as concurrency
  std::chrono::milliseconds drain{25'000};  // how long stop() waits for running handlers
  // Functions that run around each handler, on its thread, in this order: the first is the
  // outermost. An exception from the outermost counts as an exception from the handler.
  std::vector<HandlerMiddleware> middleware;

  // Payloads that are encrypted are decrypted before the middleware and the handler, which see the
  // job as it was enqueued: plain text, without the header millrace-encryption. A job that cannot
  // be decrypted reaches neither: without its key, also where this Worker has no keys, it is
  // retried, because the key may still come; if it was changed or moved to another topic, or the
  // key is another one of the same id, it is discarded. encryption.h
  PayloadKeys payload_keys;
  // Discards jobs whose payload is not encrypted. Without it they are accepted, and then whoever
  // can enqueue, or change the broker's files, can make up jobs. Refused (invalid) without
  // payload_keys.
  bool require_encryption = false;
};

class MILLRACE_EXPORT Worker {
 public:
  explicit Worker(WorkerOptions options = {});
  ~Worker();  // stops, with drain
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before start(): sets the handler of a topic, one handler for each topic. Refused (invalid)
  // after start(), with an invalid topic name, without a function, and for a topic that already has
  // a handler, which stays; after a refusal start() is refused too. Refusals of handle() and
  // start() are also reported to ConnectionOptions::log, so the result may be ignored.
  Result<void> handle(std::string topic, Handler handler);

  // Connects in the background, at once. Refused, and nothing runs: without handlers, with wrong
  // options (invalid, the message names the option), after stop(). A second call while it runs does
  // nothing.
  Result<void> start();
  // Accepts no new deliveries; unstarted jobs are released at once; waits for running handlers up
  // to options.drain, then requests their stop and waits for them to end. Returns true after every
  // finished job is settled and answered; false if the broker does not answer within 10 s. Inside a
  // handler it would wait for itself: it requests the stop and returns false at once; no more jobs
  // are accepted, run() returns, and the next stop() or the destructor completes the stop.
  bool stop();
  // Calls start(), waits until the token is stopped, a handler requests the stop, or the broker
  // refuses the topics, and drains; returns the result of stop(), or false if start() or the topics
  // were refused.
  bool run(std::stop_token until);
  // The reason why this worker will never get jobs: a topic that does not exist and is not created
  // on first use (unknown_topic), or a topic that is forbidden to it. Reported to
  // ConnectionOptions::log as well. After temporary refusals (overloaded, shutting_down) the Worker
  // subscribes again; they are never returned here.
  [[nodiscard]] std::optional<Error> refused() const;

  struct Counts {
    std::uint64_t delivered = 0, completed = 0, retried = 0, discarded = 0, released = 0, lost = 0;
    std::uint64_t running = 0;
  };
  [[nodiscard]] Counts counts() const;
  // Whether every known shard has accepted the session and its topics; a watchdog uses
  // last_alive().
  [[nodiscard]] bool connected() const;
  [[nodiscard]] std::chrono::steady_clock::time_point last_alive()
      const;  // the last turn of its loop

 private:
  class MILLRACE_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
