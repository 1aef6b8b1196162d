// Producer: hands jobs to the broker and says what became of them.
//
// Durability: Outcome::stored is said only after the broker's commit was fsynced.
// Resend: after a reconnect unanswered batches are sent again with their first numbers, so a
// resend never makes a second job, for as long as this Producer lives.
// Threads: every member may be called from any thread; callbacks run on the producer's own thread
// and must not block. One background thread a Producer. Destruction waits for nothing: call
// flush() first; what is unanswered then ends as Outcome::unknown.
// Bounded: at most in_flight_jobs_max jobs and in_flight_bytes_max bytes are unanswered at a time.
#pragma once

#include <millrace/connection.h>
#include <millrace/export.h>
#include <millrace/job.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace millrace {

enum class Outcome : std::uint8_t {
  stored,    // on disk; ids are set
  rejected,  // nothing was stored; error says why
  unknown,   // sent, and no answer within the deadline: it may be stored
};

struct Enqueued {
  Outcome outcome = Outcome::unknown;
  JobId id;     // when stored
  Error error;  // when not
};

struct ProducerOptions {
  ConnectionOptions connection;
  std::size_t in_flight_jobs_max = 16'384;
  std::size_t in_flight_bytes_max = 64U << 20;
  std::size_t batch_jobs_max = 512;            // jobs gathered into one message
  std::chrono::milliseconds deadline{30'000};  // after this an unanswered job is unknown
};

class MILLRACE_EXPORT Producer {
 public:
  using Done = std::function<void(const Enqueued&)>;

  // Returns at once; the connection is made and kept in the background.
  explicit Producer(ProducerOptions options = {});
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Enqueues one job and waits for its outcome, at most options.deadline.
  [[nodiscard]] Enqueued enqueue(Job job);

  // Enqueues many jobs, waits for all; outcome i belongs to job i.
  [[nodiscard]] std::vector<Enqueued> enqueue_all(std::vector<Job> jobs);

  // Hands the job over and returns; done is called exactly once. Waits while the bounds are
  // reached (back-pressure).
  void enqueue_async(Job job, Done done);

  // The same without waiting: false, and done is never called, while the bounds are reached.
  [[nodiscard]] bool try_enqueue_async(Job job, Done done);

  // Waits until nothing is unanswered; false if that took longer than the timeout.
  [[nodiscard]] bool flush(std::chrono::milliseconds timeout);

  // Whether every known shard is connected now: what a health check asks.
  [[nodiscard]] bool connected() const;

 private:
  class MILLRACE_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
