// A shard without its server: the real engine over a store in memory, driven turn by turn as the
// runtime drives it (step, dispatch, commit, loads). crash() drops all state that was not
// committed.
#pragma once

#include "core/engine.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace millrace::core::test {

struct FinishedRow {
  Job job;
  JobFinish finish;
};

// Applies changes as storage does, and is as strict: a change that misses its row is a failure.
class MemoryStore {
 public:
  void apply(const ChangeSet& changes);
  [[nodiscard]] Command load(const Load& load) const;
  [[nodiscard]] Recovered recover() const;

  std::map<TopicId, Topic> topics;
  std::map<PartitionRef, PartitionCounts> partitions;
  std::map<SessionId, SessionRow> sessions;
  std::map<ProducerId, ProducerRow> producers;
  std::map<ChangeId, RequestRow> requests;
  std::map<JobRef, Job> jobs;
  std::map<JobRef, FinishedRow> finished;
  std::map<JobRef, LeaseRow> leases;
  std::map<JobRef, int> completions;  // how often each was recorded as completed
};

class EngineHarness {
 public:
  explicit EngineHarness(EngineOptions given = {});

  // One turn with one command; its effects after the commit. commit false: the process dies
  // before the commit, and the caller has to crash().
  Effects turn(Command command, bool commit = true);
  Effects idle() { return turn(Tick{}); }
  void crash();
  void pass(std::int64_t ms);

  // Short forms. Replies are those of the turn.
  std::vector<JobRef> enqueue(int count, const NewJob& like = {}, std::uint16_t partition = 0);
  SessionId worker(std::uint8_t number, std::uint64_t credit, std::vector<HeldJob> held = {});
  std::vector<Delivered> take_deliveries() { return std::exchange(delivered, {}); }
  std::vector<Token> settle(const SessionId& session, Token token,
                            OutcomeKind kind = OutcomeKind::completed, std::uint64_t credit = 0);
  template <typename T>
  [[nodiscard]] const T& last() const {
    return std::get<T>(replies.back().body);
  }

  EngineOptions options;
  MemoryStore store;
  Now now{1'000'000, 1'700'000'000'000};
  std::unique_ptr<Engine> engine;
  std::vector<Reply> replies;                            // of the last turn
  std::vector<Delivered> delivered;                      // since taken
  std::vector<std::pair<SessionId, Delivery>> messages;  // every delivery ever
};

[[nodiscard]] SessionId session_id(std::uint8_t number);
[[nodiscard]] NewJob job_with(std::string_view payload);

}  // namespace millrace::core::test
