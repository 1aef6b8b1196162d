// Producer: sends jobs to the broker and reports their outcomes.
//
// Durability: Outcome::stored is reported only after the broker's commit was fsynced.
// Resend (idempotent producer): after a reconnect unanswered batches are sent again with their
// first numbers, so a resend never creates a second job, for as long as this Producer lives
// (options.id_file extends that over restarts).
//
// Threads: every member may be called from any thread, and the SDK's threads handle no signals of
// the application. One background thread for each Producer, or one for all that share a Connection,
// beside the two of ZeroMQ (connection.h says what else is shared).
//
// Callbacks run on the background thread and must not block. But callbacks of jobs that are refused
// before they are queued (wrong options, a wrong job, middleware, exceeded bounds inside a
// callback) run inside the call, and callbacks of jobs that are unanswered at destruction run
// inside the destructor. An exception from a callback is caught and reported to
// ConnectionOptions::log with the job; the Producer continues.
// Inside a callback of the same Producer: enqueue_async() never waits (below); enqueue(),
// enqueue_all() and flush() would wait for themselves, and are refused at once (invalid, false);
// destroying the Producer there is a programmer error: the SDK prints a message and aborts.
//
// Destruction waits for unanswered jobs, at most options.flush_at_destruction. The jobs that are
// left then end as at their deadline (Outcome), and their callbacks run. No other thread may be
// inside a member by then.
//
// fork(): a Producer belongs to the process that made it. In a child every call ends at once
// (rejected with unavailable, or false), destruction does nothing at all, and callbacks of the
// parent's jobs never run; make a new Producer there. docs/sdk.md
//
// Bounded (backpressure): at most in_flight_jobs_max jobs and in_flight_bytes_max bytes (payloads,
// headers and 64 for each job) are unanswered at a time; if no job is unanswered, a job of any size
// is accepted.
//
// Wrong options: each call ends at once as rejected with invalid, and the message names the option.
#pragma once

#include <millrace/connection.h>
#include <millrace/encryption.h>
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
  unknown,   // sent, but not answered: the job may be stored
};

struct Enqueued {
  Outcome outcome = Outcome::unknown;
  JobId id;     // when stored
  Error error;  // when not
};

// Called with each job before it is queued, and may change it; an error refuses the job.
using EnqueueMiddleware = std::function<Result<void>(Job&)>;

struct ProducerOptions {
  ConnectionOptions connection;
  std::shared_ptr<Connection> shared_connection;  // instead of connection; both set: invalid
  std::size_t in_flight_jobs_max = 16'384;
  std::size_t in_flight_bytes_max = 64U << 20;
  std::size_t batch_jobs_max = 512;  // jobs in one message
  // Counted from the call that enqueues a job. A job without an answer ends at its deadline: as
  // rejected if it was never sent (unavailable) or each attempt was refused with a temporary error
  // (overloaded or shutting_down, as the broker said), else as unknown.
  std::chrono::milliseconds deadline{30'000};
  std::chrono::milliseconds flush_at_destruction{5'000};  // 0: the destructor does not wait

  // A file in which this Producer stores its id over restarts; empty: a new random id each time.
  // The file is created if it is missing (mode 0600, in an existing folder), locked while the
  // Producer lives, and holds the id and an epoch, which each start raises and syncs to disk before
  // the first use. So the constructor waits for the disk. Refused like a wrong option: a file that
  // another Producer uses, in this process or another (unavailable, "in use"), a file that cannot
  // be read or written (unavailable), and a file of another format (invalid; the file is not
  // changed). The lock is flock()'s: it does not hold across machines on every network file system,
  // and a child of fork() that does not exec keeps it when its parent dies.
  //
  // Effects: once a shard has stored a batch of this start, it refuses batches of an earlier start
  // (stale), however late they come; and over all restarts this Producer takes one of the 10,000
  // entries in which a shard stores answers for resends, not one for each start. It does not make
  // an enqueue idempotent over a crash. A job whose outcome this process did not receive before it
  // ended may be stored; if the next start enqueues it again, it is another job.
  std::string id_file;

  // Functions that run in this order, on the calling thread, inside the call, before the job is
  // validated. The first error rejects the job with that error, and later functions do not run; an
  // exception does the same, as invalid with its what(). They run for each call, so again for a job
  // that the application enqueues again, and not if the Producer refuses every job (wrong options,
  // fork()).
  std::vector<EnqueueMiddleware> middleware;

  // With keys the payload of each job is encrypted with the current one, after the middleware and
  // once: a batch that is sent again has the same bytes. A payload may then have 40 bytes less than
  // 1 MiB (too_large), and the header millrace-encryption counts within the bounds of headers.
  // encryption.h
  PayloadKeys payload_keys;
};

class MILLRACE_EXPORT Producer {
 public:
  using Done = std::function<void(const Enqueued&)>;

  // Returns at once; the connection is made and kept in the background.
  explicit Producer(ProducerOptions options = {});
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Enqueues one job and waits for its outcome, at most until shortly after options.deadline.
  [[nodiscard]] Enqueued enqueue(Job job);

  // Enqueues many jobs and waits for all outcomes; outcome i belongs to job i.
  [[nodiscard]] std::vector<Enqueued> enqueue_all(std::vector<Job> jobs);

  // Queues the job and returns; done, if set, is called exactly once. Waits while the bounds are
  // reached (backpressure). Inside a callback it never waits: jobs are accepted up to twice the
  // bounds, and beyond them rejected with overloaded.
  void enqueue_async(Job job, Done done);

  // As enqueue_async(), but never waits: while the bounds are reached it returns false, and done is
  // never called. If the job was refused for another reason it returns true, and done was called.
  [[nodiscard]] bool try_enqueue_async(Job job, Done done);

  // Waits until all jobs are answered; false if that took longer than the timeout, and at once
  // inside a callback or in a child of fork().
  [[nodiscard]] bool flush(std::chrono::milliseconds timeout);

  // Whether every known shard is connected now: for health checks.
  [[nodiscard]] bool connected() const;

 private:
  class MILLRACE_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
