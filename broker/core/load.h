// The loads that the engine requests from storage, and the commands that carry their results. A
// load sees only committed rows; the runtime requests it after the commit of the turn that asked
// for it.
#pragma once

#include "core/job.h"

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace millrace::core {

using Ticket = std::uint64_t;  // ties an answer to the command that waits for it

// The next live jobs of one priority of a partition, without a due time, by rising seq.
struct LoadReady {
  PartitionRef where;
  std::uint8_t priority = priority_default;
  std::uint64_t after_seq = 0;
  std::size_t jobs_max = page_jobs_max;
  std::size_t bytes_max = page_bytes_max;  // the load stops after the job that exceeds it
};
struct ReadyLoaded {
  LoadReady asked;
  std::vector<Job> jobs;
  bool more = false;
};

// The place of a row in the order of due times of a partition.
struct DuePlace {
  std::int64_t due_ms = 0;
  std::uint8_t priority = 0;
  std::uint64_t seq = 0;
  friend auto operator<=>(const DuePlace&, const DuePlace&) = default;
};
// Live jobs of a partition with after < place and due_ms <= until_ms, by rising place.
struct LoadDue {
  PartitionRef where;
  std::int64_t until_ms = 0;
  DuePlace after;
  std::size_t jobs_max = page_jobs_max;
  std::size_t bytes_max = page_bytes_max;
};
struct DueLoaded {
  LoadDue asked;
  std::vector<Job> jobs;
  bool more = false;                        // due now, and left out
  std::optional<std::int64_t> next_due_ms;  // of the first row after these; empty: none
};

struct LoadJob {  // one live job, of which only the id is known
  Ticket ticket = 0;
  JobRef ref;
};
struct JobLoaded {
  Ticket ticket = 0;
  std::optional<Job> job;
  bool finished = false;  // no live row, but a row of finished jobs
};

struct LoadDead {  // dead jobs of a topic: those named, or the oldest
  Ticket ticket = 0;
  TopicId topic = 0;
  std::vector<JobRef> refs;
  std::size_t jobs_max = dead_batch_max;
};
struct DeadLoaded {
  Ticket ticket = 0;
  std::vector<Job> jobs;  // with payloads, keys and headers
  bool more = false;
};

// Finished jobs of a topic past their retention: dead before dead_before_ms or the oldest over
// dead_max, others before history_before_ms.
struct LoadExpired {
  TopicId topic = 0;
  std::int64_t dead_before_ms = 0, history_before_ms = 0;
  std::uint64_t dead_excess = 0;  // how many dead jobs are over the topic's maximum
  std::size_t jobs_max = expired_batch_max;
};
struct ExpiredLoaded {
  TopicId topic = 0;
  std::vector<RowRef> dead, others;
};

using Load = std::variant<LoadReady, LoadDue, LoadJob, LoadDead, LoadExpired>;

}  // namespace millrace::core
