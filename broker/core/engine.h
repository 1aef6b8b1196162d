// The engine: all scheduling state of one shard, changed only by step(). Pure: it has no clock,
// thread, file, socket or randomness of its own, so a seed and a list of commands determine every
// result.
// Threads: one caller at a time. Memory: bounded by core/limits.h, not by the backlog.
#pragma once

#include "core/command.h"
#include "core/effect.h"
#include "core/job.h"
#include "core/limits.h"
#include "core/shard_map.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::core {

// How much of the backlog is held in memory: jobs of the shard, jobs of a partition and priority,
// and how many are asked of storage at once. Smaller where a test wants a backlog beyond them.
struct WindowLimits {
  std::size_t jobs = window_jobs_max, lane_jobs = lane_jobs_max, page_jobs = page_jobs_max;
};

struct EngineOptions {
  std::uint64_t epoch = 1;       // raised and stored before every start
  std::uint64_t seed = 0;        // for the jitter
  ShardMap map;                  // of all shards of the broker
  std::uint32_t shard = 0;       // this engine serves the partitions of this shard
  bool allow_new_topics = true;  // on first use
  TopicSettings new_topic;
  std::int64_t lease_ms = lease_ms_default;
  std::int64_t grace_ms = grace_ms_max;
  std::int64_t deaths_apart_ms = deaths_apart_ms_default;
  std::int64_t death_wait_ms_min = death_wait_ms_min_default;
  WindowLimits window;
};

// The stored state at the start.
struct RecoveredLease {
  LeaseRow lease;
  Job job;  // payload may be left out
};
struct Recovered {
  std::vector<Topic> topics;
  std::vector<PartitionRow> partitions;
  std::vector<SessionRow> sessions;
  std::vector<ProducerRow> producers;
  std::vector<RequestRow> requests;  // the oldest first
  std::vector<RecoveredLease> leases;
  // The first number of a partition that is not in the list. More than 1 after a backup was
  // restored: the partition may have assigned numbers after the backup.
  std::uint64_t first_seq = 1;
};

struct TopicStats {
  Topic topic;
  std::uint64_t scheduled = 0, available = 0, running = 0, retryable = 0, dead = 0;
  std::uint64_t enqueued = 0, completed = 0, cancelled = 0, retried = 0, died = 0;
  std::int64_t oldest_available_ms = 0;  // age
  std::uint64_t workers = 0;
};
struct SessionStats {
  SessionId id{};
  std::string name;
  std::vector<std::string> topics;
  std::uint64_t credit = 0, running = 0;
  std::int64_t silent_ms = 0;
  bool present = true;  // false: known from before a restart, not reconnected yet
};
// A job that runs now.
struct RunningJob {
  Job job;
  SessionId session{};
  std::string worker;
  Token token = 0;
  std::int64_t started_ms = 0;
  std::optional<std::uint32_t> percent;
  std::string note;
};
struct Reason {
  State state = State::available;
  std::string word;  // docs/protocol.md, EXPLAIN reasons
  std::string text;
};

class Engine {
 public:
  Engine(EngineOptions options, Recovered recovered, Now now);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Executes one command. Effects are added to out; a turn may collect those of many steps. The
  // command is consumed (payloads and strings are moved out of it).
  void step(Command&& command, Now now, Effects& out);

  // The latest time for the next Tick if no message arrives: wall-clock time of the next due job,
  // if one is known. Leases need a Tick each lease_tick_ms besides.
  [[nodiscard]] std::optional<std::int64_t> next_due_ms() const;

  // Queries; they change nothing.
  [[nodiscard]] const Topic* topic(std::string_view name) const;
  [[nodiscard]] const Topic* topic(TopicId id) const;
  [[nodiscard]] std::vector<TopicStats> topics(Now now) const;
  [[nodiscard]] std::vector<SessionStats> sessions(Now now) const;
  [[nodiscard]] bool has_session(const SessionId& id) const;  // connected, or expected to reconnect
  [[nodiscard]] std::optional<RunningJob> running(const JobRef& ref) const;
  // The reason why a live job of the store is not running now; or that it runs.
  [[nodiscard]] Reason explain(const Job& stored, Now now) const;
  [[nodiscard]] std::uint64_t credit_free() const;
  [[nodiscard]] std::int64_t grace_ms(Now now) const;  // 0: deliveries are not held
  [[nodiscard]] std::size_t window_jobs() const;
  [[nodiscard]] std::size_t window_bytes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::core
