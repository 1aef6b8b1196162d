#include "admin/shard_snapshots.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace millrace::admin {
namespace {

constexpr std::int64_t silent_ms_max = 5'000;  // twenty ticks
// Reading every topic takes at most one hundredth of a shard's time, however many topics there are.
constexpr std::int64_t rest_per_look = 100;

bool undamaged(const std::string& verdict) {
  return verdict == "ok" || verdict == "running" || verdict == "interrupted";
}

TopicDepth depth_of(core::TopicStats&& s) {
  return {std::move(s.topic.name), s.scheduled, s.available, s.running, s.retryable, s.dead,
          s.oldest_available_ms};
}

}  // namespace

ShardSnapshots::ShardSnapshots(std::size_t shards) : slots_(shards) {
  for (Slot& slot : slots_) slot.snapshot = std::make_shared<ShardSnapshot>();
}

void ShardSnapshots::turned(std::size_t shard, std::int64_t mono_ms) {
  slots_[shard].turned_mono_ms = mono_ms;
}

void ShardSnapshots::publish(std::size_t shard, ShardSnapshot snapshot) {
  std::shared_ptr<const ShardSnapshot> next = std::make_shared<ShardSnapshot>(std::move(snapshot));
  const std::lock_guard lock(slots_[shard].mutex);
  slots_[shard].snapshot.swap(next);
}

std::vector<ShardSnapshot> ShardSnapshots::read() const {
  std::vector<ShardSnapshot> all;
  for (const Slot& slot : slots_) {
    const std::lock_guard lock(slot.mutex);
    all.push_back(*slot.snapshot);
  }
  return all;
}

std::vector<std::string> ShardSnapshots::stalls(std::int64_t now_mono_ms) const {
  std::vector<std::string> wrong;
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    const std::int64_t silent_ms = now_mono_ms - slots_[s].turned_mono_ms;
    if (silent_ms <= silent_ms_max) continue;
    wrong.push_back("shard " + std::to_string(s) + ": its event loop has been blocked for " +
                    std::to_string(silent_ms) + " ms");
  }
  return wrong;
}

std::vector<std::string> ShardSnapshots::problems(std::int64_t now_mono_ms, bool ready) const {
  auto wrong = stalls(now_mono_ms);
  const auto shards = read();
  for (std::size_t s = 0; s < shards.size(); ++s) {
    const std::string name = "shard " + std::to_string(s) + ": ";
    if (!undamaged(shards[s].check)) {
      wrong.push_back(name + "the integrity check of its file found damage: " + shards[s].check);
    }
    if (ready && !shards[s].refusing.empty()) wrong.push_back(name + shards[s].refusing);
  }
  if (ready && stopping_) wrong.emplace_back("the broker is shutting down");
  return wrong;
}

void SnapshotHook::on_tick(const core::Engine& engine, const runtime::ShardFacts& facts,
                           core::Now now) {
  snapshots_.turned(shard_, now.mono_ms);
  if (!depths_) return;
  if (now.mono_ms >= next_look_mono_ms_) look(engine, now);
  last_.check = facts.check;
  last_.refusing = facts.refusing;
  last_.store = facts.store_gauges;
  last_.credit_free = engine.credit_free();
  snapshots_.publish(shard_, last_);
}

void SnapshotHook::look(const core::Engine& engine, core::Now now) {
  const auto begun = std::chrono::steady_clock::now();
  auto topics = std::make_shared<std::vector<TopicDepth>>();
  for (auto& stats : engine.topics(now)) topics->push_back(depth_of(std::move(stats)));
  last_.topics = std::move(topics);
  const auto sessions = engine.sessions(now);
  last_.workers = static_cast<std::uint64_t>(
      std::count_if(sessions.begin(), sessions.end(), [](const auto& s) { return s.present; }));
  const auto took = std::chrono::steady_clock::now() - begun;
  next_look_mono_ms_ =
      now.mono_ms +
      rest_per_look * std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
}

}  // namespace millrace::admin
