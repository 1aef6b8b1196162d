// The scheduler's data about a job, a topic and a partition: plain values, no behaviour.
// Times named wall_* or in a field of a row (due_ms, enqueued_ms …) are wall clock, milliseconds
// since 1970; mono_ms is the monotonic clock of this process.
#pragma once

#include "core/bytes.h"
#include "core/limits.h"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::core {

using TopicId = std::uint32_t;  // the number of a topic in one shard's store, from 1
using Id16 = std::array<std::uint8_t, 16>;
using SessionId = Id16;
using ProducerId = Id16;
using ChangeId = Id16;        // id of a request that changes something; all zero: no id
using Token = std::uint64_t;  // epoch (24 bits) and number of the delivery (40 bits); 0: none
inline constexpr unsigned epoch_shift = 40;
// The kind of a request with a ChangeId: an id belongs to one kind. Stored by number.
enum class RequestKind : std::uint8_t { open_topic, pause, resume, cancel, requeue, purge };

struct Now {
  std::int64_t mono_ms = 0;
  std::int64_t wall_ms = 0;
};

struct PartitionRef {
  TopicId topic = 0;
  std::uint16_t partition = 0;
  friend auto operator<=>(const PartitionRef&, const PartitionRef&) = default;
};

struct JobRef {
  TopicId topic = 0;
  std::uint16_t partition = 0;
  std::uint64_t seq = 0;
  [[nodiscard]] PartitionRef where() const { return {topic, partition}; }
  friend auto operator<=>(const JobRef&, const JobRef&) = default;
};

// The primary key of a job's row, used by every change of the row: rows are ordered by partition,
// priority and seq. Code that has only the job's id loads the job (load.h), and the answer has the
// priority.
struct RowRef {
  JobRef ref;
  std::uint8_t priority = priority_default;
  friend auto operator<=>(const RowRef&, const RowRef&) = default;
};

enum class State : std::uint8_t {
  scheduled,
  blocked,
  available,
  running,
  retryable,
  completed,
  cancelled,
  dead,
};
enum class DeadReason : std::uint8_t { none, exhausted, discarded, expired, quarantined };

[[nodiscard]] std::string_view to_string(State state);
[[nodiscard]] std::string_view to_string(DeadReason reason);

// The options of a job at enqueue, one value from enqueue to its row and its deliveries.
struct JobOptions {
  Bytes payload, key, headers;
  std::uint8_t priority = priority_default;
  std::uint32_t attempts_max = 0;  // 0 before it is enqueued: the topic's
};

// The part of a job that changes while it lives. Running is not in the row: a lease records it. A
// row whose due_ms has passed is available, whatever its state says.
struct JobStatus {
  State state = State::available;  // available, scheduled or retryable
  std::uint32_t attempt = 0;       // attempts that were counted
  std::uint32_t deaths = 0;  // deaths that counted: far enough apart (deaths_apart_ms_default)
  std::int64_t died_ms = 0;  // time of the last of them; 0: none yet
  std::int64_t due_ms = 0;   // 0: at once
  Bytes error;               // of the last attempt
  // The token of the last run that ended here: a claim of this token, or of an older one, is
  // refused.
  Token ended_token = 0;
};

// A live job as in its row.
struct Job : JobOptions, JobStatus {
  JobRef ref;
  std::int64_t enqueued_ms = 0;
  [[nodiscard]] RowRef row() const { return {ref, priority}; }
  [[nodiscard]] JobOptions& options() { return *this; }
  [[nodiscard]] const JobOptions& options() const { return *this; }
  [[nodiscard]] JobStatus& status() { return *this; }
  [[nodiscard]] const JobStatus& status() const { return *this; }
};

struct TopicSettings {
  std::uint32_t partitions = partitions_default;
  std::uint32_t attempts_max = attempts_default;
  std::int64_t backoff_ms_min = 0;  // 0: the formula of retry_policy.h
  std::int64_t backoff_ms_max = backoff_ms_cap;
  std::int64_t run_ms_max = 0;  // 0: no limit
  bool history = false;
  std::int64_t history_ms = history_ms_default;
  std::int64_t dead_ms = dead_ms_default;
  std::uint64_t dead_max = dead_max_default;
  friend bool operator==(const TopicSettings&, const TopicSettings&) = default;
};

struct Topic {
  TopicId id = 0;
  std::string name;
  TopicSettings settings;
  bool paused = false;
};

// Updated in the same commit as the rows they count, so that nothing is ever counted by scanning.
struct PartitionCounts {
  std::uint64_t next_seq = 1;
  std::uint64_t live = 0;       // rows of live jobs
  std::uint64_t scheduled = 0;  // of those, rows that say scheduled
  std::uint64_t retryable = 0;  // of those, rows that say retryable
  std::uint64_t dead = 0;
  std::uint64_t enqueued = 0, completed = 0, cancelled = 0, retried = 0, died = 0;  // since made
};

}  // namespace millrace::core
