// The engine's state and the declarations of its steps, in groups; each group has a file of its own
// (engine_*.cc). Private to broker/core.
#pragma once

#include "core/engine.h"
#include "core/lease_table.h"
#include "core/partition.h"
#include "core/producer_table.h"
#include "core/request_table.h"
#include "core/retry_policy.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace millrace::core {

struct PendingOpen;

struct Session {
  SessionId id{};
  std::string name;
  bool present = false;     // false: known from before a restart, not back yet
  std::uint64_t epoch = 0;  // in which it subscribed, after the answer to its HELLO; 0: not yet
  std::uint64_t epoch_before = 0;  // the same at this start; 0: unknown
  std::int64_t heard_mono_ms = 0;
  std::uint64_t credit = 0;
  std::set<TopicId> topics;
  LeaseTable::Holder leases;                // its deliveries
  std::shared_ptr<const PendingOpen> open;  // its last HELLO: claims of an earlier HELLO are void
};

struct TopicState {
  Topic topic;
  std::vector<std::unique_ptr<Partition>> partitions;  // null where another shard serves it
  std::vector<Session*> subscribers;
  std::size_t next_subscriber = 0, next_partition = 0;
  std::size_t ready = 0;  // jobs in lanes
};

// A HELLO whose claims are being looked up.
struct PendingOpen {
  RequestId request = 0;
  SessionId session{};
  std::vector<Token> lost;
  std::size_t claims = 0;  // not yet answered
};
struct ParkedClaim {
  std::shared_ptr<PendingOpen> open;
  JobRef ref;
  Token token = 0;
  LoadNumber load = 0;  // that looks it up
};
struct ParkedCancel {
  RequestId request = 0;
  JobRef ref;
  LoadNumber load = 0;
};
using Parked = std::variant<ParkedClaim, ParkedCancel>;

// Work on rows of finished jobs, one at a time, so that no two use the same row.
struct FinishedWork {
  TopicId topic = 0;
  bool upkeep = false;  // else command
  DeadCommand command;
};

class Engine::Impl {
 public:
  Impl(EngineOptions options, Recovered recovered, Now now);

  // Requests that are sent again: engine_requests.cc
  struct Identified {
    const ChangeId& id;
    RequestKind kind;
    RequestId request;
    ReplyBody (*answer)(const RequestRow& row);  // of this kind of request
  };
  [[nodiscard]] bool is_new(const Identified& asked, Now now, Effects& out);
  void note_answers(std::size_t replied, Now now, Effects& out);

  // engine_admin.cc
  void on(OpenTopic&& c, Now now, Effects& out);
  void on(PauseTopic&& c, Now now, Effects& out);
  void on(Cancel&& c, Now now, Effects& out);
  void on(DeadCommand&& c, Now now, Effects& out);
  void on(DeadLoaded&& c, Now now, Effects& out);
  // engine_enqueue.cc
  void on(Enqueue&& c, Now now, Effects& out);
  void take_in(TopicState& state, Partition& partition, Job&& job, std::int64_t due_ms, Now now,
               Effects& out);
  // engine_sessions.cc
  void on(SessionOpen&& c, Now now, Effects& out);
  void on(SessionBeat&& c, Now now, Effects& out);
  void on(SessionClose&& c, Now now, Effects& out);
  void on(SessionDied&& c, Now now, Effects& out);
  void on(Subscribe&& c, Now now, Effects& out);
  void on(Grant&& c, Now now, Effects& out);
  void on(Drain&& c, Now now, Effects& out);
  // engine_settle.cc
  void on(Settle&& c, Now now, Effects& out);
  void on(Progress&& c, Now now, Effects& out);
  // engine_loads.cc
  void on(ReadyLoaded&& c, Now now, Effects& out);
  void on(DueLoaded&& c, Now now, Effects& out);
  void on(JobLoaded&& c, Now now, Effects& out);
  // engine_upkeep.cc
  void on(ExpiredLoaded&& c, Now now, Effects& out);
  void on(Tick&& c, Now now, Effects& out);
  // engine_dispatch.cc
  void on(Dispatch&& c, Now now, Effects& out);
  void on(TurnLeft&& /*c*/, Now /*now*/, Effects& /*out*/) { ++turns_left_; }

  // Questions: engine_questions.cc
  [[nodiscard]] std::optional<std::int64_t> next_due_ms() const;
  [[nodiscard]] TopicStats stats(const TopicState& state, Now now) const;
  [[nodiscard]] SessionStats stats(const Session& session, Now now) const;
  [[nodiscard]] std::optional<RunningJob> running(const JobRef& ref) const;
  [[nodiscard]] Reason explain(const Job& stored, Now now) const;
  [[nodiscard]] std::int64_t grace_ms(Now now) const;

  // Topics and partitions: engine_admin.cc
  [[nodiscard]] TopicState* find_topic(std::string_view name);
  [[nodiscard]] const TopicState* find_topic(std::string_view name) const;
  [[nodiscard]] TopicState* topic_or_new(const std::string& name, Effects& out);
  TopicState& add_topic(const std::string& name, const TopicSettings& settings, Effects& out);
  [[nodiscard]] bool serves(std::uint32_t partition) const;
  [[nodiscard]] Partition* find_partition(PartitionRef where) const;
  Partition& partition_at(PartitionRef where) const;
  TopicState& topic_at(TopicId id) const { return *topics_[id - 1]; }
  void touch(Partition& partition);

  // Sessions: engine_sessions.cc
  [[nodiscard]] Session* find_session(const SessionId& id);
  void unsubscribe(Session& session);
  void end_session(Session& session, bool died, const std::string& how, EventKind kind, Now now,
                   Effects& out);
  void finish_open(PendingOpen& open, Effects& out);
  void release_unheld(Session& session, const std::set<Token>& held, Now now, Effects& out);

  // Claims of a worker that reconnects: engine_claims.cc
  void claim(const std::shared_ptr<PendingOpen>& open, const HeldJob& held, Session& session,
             bool believed, Now now, Effects& out);
  void claim_loaded(ParkedClaim&& parked, std::optional<Job>&& job, Now now, Effects& out);
  Lease& adopt(Job&& job, Token token, Session& session, Now now);

  // The ends of a run: engine_settle.cc
  Lease end_run(Lease& held, Effects& out);
  void settle_one(JobOutcome&& outcome, Lease& held, Now now, Effects& out);
  void finish(Job& job, State state, DeadReason reason, const Lease* lease, Bytes error,
              Bytes result, Now now, Effects& out);
  void retry_later(Lease&& lease, JobOutcome&& outcome, Now now, Effects& out);
  void wait_again(Lease&& lease, std::int64_t wait_ms, Now now, Effects& out);
  void count_death(Job& job, Now now) const;
  void crash(Lease&& lease, const std::string& how, Now now, Effects& out);
  void put_back(Lease&& lease, Now now, Effects& out);
  void spill(Partition& partition, Job& job, Now now, Effects& out);

  // Window: engine_loads.cc, engine_dispatch.cc
  [[nodiscard]] bool window_has_room(std::size_t bytes) const;
  [[nodiscard]] bool may_load(const TopicState& state, const Partition& partition) const;
  void ready_back(TopicState& state, Partition& partition, Job&& job, std::int64_t since_mono_ms);
  void ready_front(TopicState& state, Partition& partition, Job&& job, std::int64_t since_mono_ms);
  ReadyJob ready_taken(TopicState& state, ReadyJob&& taken);
  void activity_changed(const TopicState& state);
  void due_changed(const Partition& partition);
  void want_loads(const Partition& partition) { candidates_.insert(partition.where); }
  void ask_job(Parked&& parked, Effects& out);
  void ask_loads(Now now, Effects& out);
  std::size_t ask_partition(TopicState& state, Partition& partition, Now now, Effects& out);
  void give_jobs(Now now, Effects& out);
  bool give_round(TopicState& state, Now now, Effects& out);
  void give_batch(TopicState& state, Session& session, std::size_t jobs_max, Now now, Effects& out);
  [[nodiscard]] Partition* next_ready(TopicState& state) const;
  void lease_job(ReadyJob&& ready, Session& session, Delivery& delivery, Now now, Effects& out);

  // Upkeep: engine_upkeep.cc
  void write_leases(Now now, Effects& out);
  [[nodiscard]] bool has_left(const Lease& lease) const { return lease.turn <= turns_left_; }
  void expire_sessions(Now now, Effects& out);
  void next_upkeep(Now now);
  void start_finished_work(Now now, Effects& out);
  [[nodiscard]] bool holding(Now now) const;

  EngineOptions options_;
  Random random_;
  std::uint64_t deliveries_ = 0;  // of this epoch: the low bits of a token
  std::uint64_t turn_ = 1;        // the turn in progress
  std::uint64_t turns_left_ = 0;  // the messages of turns up to this one were sent
  Ticket tickets_ = 0;

  std::vector<std::unique_ptr<TopicState>> topics_;  // by id - 1
  std::map<std::string, TopicId, std::less<>> topic_ids_;
  std::set<TopicId> active_;  // topics with ready jobs and a worker to run them
  TopicId next_topic_ = 0;

  std::map<SessionId, Session> sessions_;
  LeaseTable leases_;
  std::uint64_t credit_free_ = 0;
  std::size_t absent_ = 0;  // sessions from before a restart that have not reconnected
  std::size_t claims_open_ = 0;
  std::int64_t grace_until_mono_ms_ = 0;

  ProducerTable producers_;
  RequestTable requests_;
  std::uint64_t first_seq_ = 1;        // of a partition that is used for the first time
  std::vector<Partition*> touched_;    // counts to write
  std::set<PartitionRef> candidates_;  // partitions that may want loads
  PartitionRef next_candidate_;
  std::set<std::pair<std::int64_t, PartitionRef>> due_;  // when the next row of each becomes due
  std::map<PartitionRef, std::int64_t> due_at_;          // the same, the other way round
  std::map<Ticket, Parked> parked_;
  std::deque<FinishedWork> finished_work_;
  bool finished_busy_ = false;
  TopicId upkeep_topic_ = 0;
  std::int64_t upkeep_mono_ms_ = 0;
  std::int64_t tick_mono_ms_ = 0;

  std::size_t window_jobs_ = 0, window_bytes_ = 0;
  std::size_t held_bytes_ = 0;  // payloads kept with leases
};

// The time since which a job loaded from storage is available, on this process's monotonic clock. A
// wall clock that was set back must not give a time in the future.
[[nodiscard]] inline std::int64_t since_mono_ms(const Job& job, Now now) {
  const std::int64_t since_ms = job.due_ms != 0 ? job.due_ms : job.enqueued_ms;
  return now.mono_ms - std::max<std::int64_t>(0, now.wall_ms - since_ms);
}

// Every refusal is a code and a sentence that says what happened and what to do.
[[nodiscard]] inline Refused refuse(Refusal why, std::string message,
                                    std::int64_t retry_after_ms = 0) {
  return {why, std::move(message), retry_after_ms};
}
inline void reply(Effects& out, RequestId request, ReplyBody body) {
  if (request != 0) out.replies.push_back({request, std::move(body)});
}

}  // namespace millrace::core
