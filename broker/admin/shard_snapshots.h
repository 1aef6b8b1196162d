// The last snapshot that each shard published, and whether the shard is healthy: read by health
// checks, gauges and the watchdog.
// Threads: any. A shard waits only for a pointer to be swapped, never for a reader.
#pragma once

#include "runtime/hooks.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::admin {

struct TopicDepth {
  std::string topic;
  std::uint64_t scheduled = 0, available = 0, running = 0, retryable = 0, dead = 0;
  std::int64_t oldest_available_ms = 0;
};
struct ShardSnapshot {
  std::string check = "running";  // result of the integrity check of the file
  std::string refusing;           // why enqueue is refused; empty: it is accepted
  std::uint64_t workers = 0, credit_free = 0;
  runtime::StoreGauges store;                             // gauges of its kind of store
  std::shared_ptr<const std::vector<TopicDepth>> topics;  // may be older than the rest
};

class ShardSnapshots {
 public:
  explicit ShardSnapshots(std::size_t shards);

  void turned(std::size_t shard, std::int64_t mono_ms);
  void publish(std::size_t shard, ShardSnapshot snapshot);
  void stop() { stopping_ = true; }

  [[nodiscard]] std::vector<ShardSnapshot> read() const;
  // One sentence for each problem; empty: healthy. ready: also whether it can accept jobs.
  [[nodiscard]] std::vector<std::string> stalls(std::int64_t now_mono_ms) const;
  [[nodiscard]] std::vector<std::string> problems(std::int64_t now_mono_ms, bool ready) const;

 private:
  struct Slot {
    std::atomic<std::int64_t> turned_mono_ms{0};
    mutable std::mutex mutex;  // guards snapshot
    std::shared_ptr<const ShardSnapshot> snapshot;
  };
  std::vector<Slot> slots_;
  std::atomic<bool> stopping_{false};
};

// Keeps the snapshots up to date for one shard. Without depths the snapshot shows only that the
// loop runs.
class SnapshotHook : public runtime::Hooks {
 public:
  SnapshotHook(ShardSnapshots& snapshots, std::size_t shard, bool depths)
      : snapshots_(snapshots), shard_(shard), depths_(depths) {}
  void on_tick(const core::Engine& engine, const runtime::ShardFacts& facts,
               core::Now now) override;

 private:
  void look(const core::Engine& engine, core::Now now);

  ShardSnapshots& snapshots_;
  std::size_t shard_;
  bool depths_;
  std::int64_t next_look_mono_ms_ = 0;
  ShardSnapshot last_;
};

}  // namespace millrace::admin
