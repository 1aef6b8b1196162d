// Producer: hands jobs to the broker and says what became of them.
//
// Durability: Outcome::stored is said only after the broker's commit was fsynced.
// Resend: after a reconnect unanswered batches are sent again with their first numbers, so a
// resend never makes a second job, for as long as this Producer lives (options.id_file says what is
// kept beyond that).
//
// Threads: every member may be called from any thread, and no signal of the application's is taken
// by ours. One background thread a Producer, or one for all that share a Connection, beside the two
// of ZeroMQ (connection.h says what else sharing means).
//
// Callbacks run on the background thread and must not block. But those of jobs that are refused
// before they are handed over (wrong options, a wrong job, middleware, no room inside a callback)
// run inside the call, and those that destruction finds unanswered run inside the destructor. An
// exception out of a callback is caught and told to ConnectionOptions::log with the job; all else
// goes on.
// Inside a callback of the same Producer: enqueue_async() never waits (below); enqueue(),
// enqueue_all() and flush() would wait for themselves, and are refused at once (invalid, false);
// destroying the Producer there is a programmer error: it says so and aborts.
//
// Destruction waits for what is unanswered, at most options.flush_at_destruction. What is left then
// ends as at its deadline (Outcome), and its callbacks are told. No other thread may be inside a
// member by then.
//
// fork(): a Producer belongs to the process that made it. In a child every call ends at once
// (rejected with unavailable, or false), destruction does nothing at all, and callbacks of the
// parent's jobs never run; make a new one there. docs/sdk.md
//
// Bounded: at most in_flight_jobs_max jobs and in_flight_bytes_max bytes (payloads, headers and 64
// for each job) are unanswered at a time; where nothing is, a job is taken whatever its size.
//
// Options that are wrong: each call ends at once as rejected with invalid, which names the option.
#pragma once

#include <millrace/connection.h>
#include <millrace/export.h>
#include <millrace/job.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace {

enum class Outcome : std::uint8_t {
  stored,    // on disk; ids are set
  rejected,  // nothing was stored; error says why
  unknown,   // sent, and it is not known what became of it: it may be stored
};

struct Enqueued {
  Outcome outcome = Outcome::unknown;
  JobId id;     // when stored
  Error error;  // when not
};

// Sees each job before it is handed over, and may change it; an error refuses it.
using EnqueueMiddleware = std::function<Result<void>(Job&)>;

struct ProducerOptions {
  ConnectionOptions connection;
  std::shared_ptr<Connection> shared_connection;  // in place of it; both given: invalid
  std::size_t in_flight_jobs_max = 16'384;
  std::size_t in_flight_bytes_max = 64U << 20;
  std::size_t batch_jobs_max = 512;  // jobs gathered into one message
  // Counted from the call that hands a job over. A job without an answer ends then: as rejected if
  // it was never sent (unavailable) or each sending was refused for the time being (overloaded or
  // shutting_down, as the broker said), else as unknown.
  std::chrono::milliseconds deadline{30'000};
  std::chrono::milliseconds flush_at_destruction{5'000};  // 0: none

  // A file in which this Producer keeps its id over restarts; empty: a new random id each time. It
  // is made if it is missing (mode 0600, in a folder that exists), locked while the Producer lives,
  // and holds the id and an epoch, which each start raises and syncs to disk before the first use.
  // So the constructor waits for the disk. Refused, as options that are wrong are: a file that
  // another Producer has, in this process or another (unavailable, "in use"), that cannot be read
  // or written (unavailable), or that is no such file (invalid; it is left as it is). The lock is
  // flock()'s: it does not hold across machines on every network file system, and a child of fork()
  // that does not exec keeps it when its parent dies.
  //
  // What it gives: once a shard has stored a batch of this start, it refuses batches of an earlier
  // start (stale), however late they come; and a shard remembers one producer over all restarts,
  // of the 10,000 for which it can answer resends, not one for each start.
  // What it does not give: enqueuing once over a crash. A job whose outcome this process did not
  // learn before it ended may be stored; enqueued again by the next start it is another job.
  std::string id_file;

  // Run in this order, on the thread that hands the job over, inside the call, before the job is
  // looked at. The first error rejects the job with that error, and those after it do not run; so
  // does an exception, as invalid with its what(). They run for each call, so again for a job that
  // is tried again, and not for a job that is refused whatever is in it (wrong options, fork()).
  std::vector<EnqueueMiddleware> middleware;
};

class MILLRACE_EXPORT Producer {
 public:
  using Done = std::function<void(const Enqueued&)>;

  // Returns at once; the connection is made and kept in the background.
  explicit Producer(ProducerOptions options = {});
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Enqueues one job and waits for its outcome, which it has soon after options.deadline at the
  // latest.
  [[nodiscard]] Enqueued enqueue(Job job);

  // Enqueues many jobs, waits for all; outcome i belongs to job i.
  [[nodiscard]] std::vector<Enqueued> enqueue_all(std::vector<Job> jobs);

  // Hands the job over and returns; done, if there is one, is called exactly once. Waits while the
  // bounds are reached (back-pressure). Inside a callback it never waits: the job is taken up to
  // twice the bounds, and beyond them rejected with overloaded.
  void enqueue_async(Job job, Done done);

  // The same without waiting: false, and done is never called, while the bounds are reached. True
  // when the job was refused for another reason: done was told.
  [[nodiscard]] bool try_enqueue_async(Job job, Done done);

  // Waits until nothing is unanswered; false if that took longer than the timeout, and at once
  // inside a callback or in a child of fork().
  [[nodiscard]] bool flush(std::chrono::milliseconds timeout);

  // Whether every known shard is connected now: what a health check asks.
  [[nodiscard]] bool connected() const;

 private:
  class MILLRACE_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
