// A seeded world around the real engine: workers that finish, fail, vanish and come back, lost
// messages, a broker that dies before or after its commit. MILLRACE_SEEDS sets how many worlds;
// MILLRACE_SEED replays one.
#include "core/retry_policy.h"
#include "engine_test_kit.h"

#include <gtest/gtest.h>
#include <cstdlib>

namespace millrace::core::test {
namespace {

struct SimWorker {
  SessionId id{};
  std::map<Token, HeldJob> holds;
  std::map<Token, OutcomeKind> unanswered;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    for (std::uint8_t i = 1; i <= 3; ++i) workers_.push_back({session_id(i), {}, {}});
  }

  void run() {
    for (int step = 0; step < 120; ++step) act();
    quiet_down();
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_.next() % below; }

  void act() {
    SimWorker& worker = workers_[pick(workers_.size())];
    switch (pick(12)) {
      case 0:
      case 1: return enqueue();
      case 2: return hello(worker);
      case 3:
      case 4:
      case 5: return settle(worker, static_cast<OutcomeKind>(pick(5)));
      case 6: return crash_broker();
      case 7: return worker_dies(worker);
      case 8: shard_.pass(static_cast<std::int64_t>(pick(40'000))); return after(shard_.idle());
      case 9: return after(shard_.turn(Grant{worker.id, pick(3)}));
      case 10: return cancel();
      default: shard_.pass(lease_tick_ms); return after(shard_.idle());
    }
  }

  void enqueue() {
    Enqueue batch{1, "t", 0, ProducerStamp{session_id(99), 1, ++batch_}, {}};
    const auto count = 1 + pick(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      NewJob job = job_with("p");
      job.priority = static_cast<std::uint8_t>(pick(3));
      job.attempts_max = 4;
      if (pick(4) == 0) job.due_ms = shard_.now.wall_ms + static_cast<std::int64_t>(pick(20'000));
      batch.jobs.push_back(job);
    }
    // The reply may be lost: then the producer sends the same batch again.
    const bool dies = pick(6) == 0;
    if (dies) {
      shard_.turn(batch, pick(2) == 0);
      restart();
    }
    after(shard_.turn(batch));
    acknowledged_ += std::get<Stored>(shard_.replies.front().body).count;
  }

  void hello(SimWorker& worker) {
    SessionOpen open{1, worker.id, "w", {}};
    for (const auto& [token, job] : worker.holds) open.held.push_back(job);
    Effects opened = shard_.turn(std::move(open));
    for (const Reply& reply : opened.replies) {
      if (const auto* body = std::get_if<Opened>(&reply.body)) {
        for (const Token token : body->lost) worker.holds.erase(token);
      }
    }
    after(opened);
    after(shard_.turn(Subscribe{2, worker.id, {"t"}, 1 + pick(4)}));
  }

  void settle(SimWorker& worker, OutcomeKind kind) {
    if (worker.holds.empty()) return;
    const Token token = worker.holds.begin()->first;
    Settle command{1, worker.id, {}, 1};
    command.outcomes.push_back({token, kind, "e", {}, {}});
    // Crash between commit and reply: the worker still holds the job.
    if (pick(8) == 0) {
      shard_.turn(command, pick(2) == 0);
      return restart();
    }
    after(shard_.turn(std::move(command)));
    if (!std::holds_alternative<Refused>(shard_.replies.front().body)) worker.holds.erase(token);
  }

  void worker_dies(SimWorker& worker) {
    worker.holds.clear();
    after(shard_.turn(SessionDied{worker.id, "was killed"}));
  }

  void cancel() {
    if (shard_.store.jobs.empty()) return;
    const JobRef ref = shard_.store.jobs.begin()->first;
    after(shard_.turn(Cancel{1, "t", ref.partition, ref.seq}));
  }

  void crash_broker() {
    shard_.turn(Tick{}, pick(2) == 0);
    restart();
  }
  void restart() {
    shard_.crash();
    shard_.delivered.clear();
  }

  // Every delivery reaches its worker or is lost on the way.
  void after(const Effects& effects) {
    for (const Delivery& delivery : effects.deliveries) {
      for (const Delivered& job : delivery.jobs) {
        ASSERT_GT(job.token, highest_token_) << "tokens rise strictly";
        highest_token_ = job.token;
        ASSERT_TRUE(shard_.store.jobs.contains({1, 0, job.seq})) << "a delivered job is stored";
        ASSERT_EQ(cancelled_.count(job.seq), 0U) << "a cancelled job is not delivered";
        if (pick(10) == 0) continue;
        for (SimWorker& worker : workers_) {
          if (worker.id == delivery.session) {
            worker.holds[job.token] = {"t", 0, job.seq, job.token};
          }
        }
      }
    }
    for (const Revoke& revoke : effects.revokes) {
      for (SimWorker& worker : workers_) {
        if (worker.id != revoke.session) continue;
        for (const Token token : revoke.tokens) worker.holds.erase(token);
      }
    }
    for (const Event& event : effects.events) {
      if (event.kind == EventKind::cancelled) cancelled_.insert(event.ref.seq);
    }
    check();
  }

  void check() {
    std::uint64_t live = 0, dead = 0;
    for (const auto& [where, counts] : shard_.store.partitions) {
      live += counts.live;
      dead += counts.dead;
      ASSERT_EQ(counts.enqueued, counts.live + counts.died + counts.completed + counts.cancelled);
    }
    ASSERT_EQ(live, shard_.store.jobs.size()) << "counts are those of the rows";
    ASSERT_EQ(dead, shard_.store.finished.size());
    for (const auto& [ref, count] : shard_.store.completions) ASSERT_EQ(count, 1);
    for (const auto& [ref, lease] : shard_.store.leases)
      ASSERT_TRUE(shard_.store.jobs.contains(ref));
  }

  // When the faults stop every job ends.
  void quiet_down() {
    SimWorker& worker = workers_[0];
    for (int round = 0; round < 4'000 && !shard_.store.jobs.empty(); ++round) {
      shard_.pass(1'500);  // ticks further apart mean that the broker was stopped
      hello(worker);
      after(shard_.idle());
      while (!worker.holds.empty()) {
        const Token token = worker.holds.begin()->first;
        worker.holds.erase(token);
        Settle command{1, worker.id, {}, 1};
        command.outcomes.push_back({token, OutcomeKind::completed, "", {}, {}});
        after(shard_.turn(std::move(command)));
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
    for (const auto& [ref, job] : shard_.store.jobs) {
      ADD_FAILURE() << "job " << ref.seq
                    << " did not end: " << shard_.engine->explain(job, shard_.now).text;
    }
    std::uint64_t ended = 0, enqueued = 0;
    for (const auto& [where, counts] : shard_.store.partitions) {
      ended += counts.died + counts.completed + counts.cancelled;
      enqueued += counts.enqueued;
    }
    EXPECT_EQ(enqueued, acknowledged_) << "every acknowledged job is there once";
    EXPECT_EQ(ended, acknowledged_);
  }

  Random random_;
  EngineHarness shard_;
  std::vector<SimWorker> workers_;
  std::set<std::uint64_t> cancelled_;
  std::uint64_t batch_ = 0, acknowledged_ = 0;
  Token highest_token_ = 0;
};

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Simulation, EveryAcknowledgedJobEndsOnceWhateverFails) {
  const std::uint64_t one = number_from("MILLRACE_SEED", 0);
  const std::uint64_t first = one == 0 ? 1 : one;
  const std::uint64_t last = one == 0 ? number_from("MILLRACE_SEEDS", 2'000) : one;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("replay with MILLRACE_SEED=" + std::to_string(seed));
    World(seed).run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::core::test
