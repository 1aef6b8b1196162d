// The changes of one commit: the rows that a turn changed, collected by kind. Storage applies the
// kinds in the order of the fields here, all in one transaction; within a kind, in order. A change
// that does not find the row it names is a bug, and fails the commit.
#pragma once

#include "core/job.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::core {

struct PartitionRow {
  PartitionRef where;
  PartitionCounts counts;
};

struct SessionRow {
  SessionId id{};
  std::string name;
  std::uint64_t epoch = 0;  // in which the session subscribed, after the answer to its HELLO
};

// The answer to one batch of a producer: its jobs are first_seq … first_seq + count - 1 there.
struct BatchAnswer {
  std::uint64_t batch = 0;
  PartitionRef where;
  std::uint64_t first_seq = 0;
  std::uint32_t count = 0;
};
struct ProducerRow {
  ProducerId id{};
  std::uint64_t epoch = 0;
  std::int64_t seen_ms = 0;
  std::uint64_t answered = 0;        // batches up to here are answered: a copy of one is late
  std::vector<BatchAnswer> answers;  // of later batches, in rising order, at most answers_max
};

// A request that changed something, with its answer.
struct RequestRow {
  ChangeId id{};
  RequestKind kind = RequestKind::cancel;
  std::int64_t at_ms = 0;
  std::uint64_t value = 0;  // of the answer: a flag, or a number of jobs
  bool more = false;
};

// A live job that stays live: the changed part of its row.
struct JobUpdate {
  RowRef row;
  JobStatus status;
};

// A live job that ends. Its row is deleted; with keep, a row of finished jobs takes its place.
struct JobFinish {
  RowRef row;
  State state = State::completed;
  DeadReason reason = DeadReason::none;
  bool keep = false;
  std::uint32_t attempt = 0, deaths = 0;
  std::int64_t started_ms = 0, finished_ms = 0;  // started_ms 0: never
  // With keep only:
  Bytes error, result;
  std::string worker;  // name of the session that ended it
};

// Written only for a job that still runs at the lease tick after its delivery.
struct LeaseRow {
  RowRef row;  // of the job
  SessionId session{};
  Token token = 0;
  std::int64_t started_ms = 0;
};

struct ChangeSet {
  std::vector<Topic> topics;  // inserted or replaced by id
  std::vector<SessionRow> sessions_put;
  std::vector<SessionId> sessions_dropped;
  std::vector<ProducerRow> producers_put;
  std::vector<ProducerId> producers_dropped;  // may list a producer that was never stored
  std::vector<RequestRow> requests_put;
  std::vector<ChangeId> requests_dropped;
  std::vector<RowRef> finished_dropped;  // rows of finished jobs: requeued, purged, past retention
  std::vector<Job> inserts;              // new or requeued live jobs
  std::vector<JobUpdate> updates;
  std::vector<JobFinish> finishes;
  std::vector<LeaseRow> leases_put;
  std::vector<RowRef> leases_dropped;
  std::vector<PartitionRow> partitions;  // inserted or replaced

  [[nodiscard]] bool empty() const {
    return topics.empty() && sessions_put.empty() && sessions_dropped.empty() &&
           producers_put.empty() && producers_dropped.empty() && requests_put.empty() &&
           requests_dropped.empty() && finished_dropped.empty() && inserts.empty() &&
           updates.empty() && finishes.empty() && leases_put.empty() && leases_dropped.empty() &&
           partitions.empty();
  }
};

}  // namespace millrace::core
