// The state transitions of a job, as the engine executes them.
#include "engine_test_kit.h"

#include <gtest/gtest.h>
#include <set>

namespace millrace::core::test {
namespace {

TEST(Engine, DeliversWhatWasEnqueuedInOrderAndOnlyToCredit) {
  EngineHarness shard;
  const auto refs = shard.enqueue(5, job_with("x"));
  const auto worker = shard.worker(1, 3);
  auto jobs = shard.take_deliveries();
  ASSERT_EQ(jobs.size(), 3U);
  for (std::size_t i = 0; i < jobs.size(); ++i) EXPECT_EQ(jobs[i].seq, refs[i].seq);
  EXPECT_EQ(jobs[0].payload.bytes(), "x");
  EXPECT_LT(jobs[0].token, jobs[1].token);
  shard.turn(Grant{worker, 1});
  EXPECT_EQ(shard.take_deliveries().size(), 1U);
}

TEST(Engine, ACompletedJobIsGoneAndItsTokenIsStaleAfterwards) {
  EngineHarness shard;
  shard.enqueue(1);
  const auto worker = shard.worker(1, 1);
  const Token token = shard.take_deliveries().at(0).token;
  EXPECT_TRUE(shard.settle(worker, token).empty());
  EXPECT_TRUE(shard.store.jobs.empty());
  EXPECT_EQ(shard.settle(worker, token), std::vector<Token>{token});
}

TEST(Engine, RefusesTheTokenOfAnotherSession) {
  EngineHarness shard;
  shard.enqueue(1);
  shard.worker(1, 1);
  const Token token = shard.take_deliveries().at(0).token;
  const auto other = shard.worker(2, 0);
  EXPECT_EQ(shard.settle(other, token), std::vector<Token>{token});
  EXPECT_EQ(shard.store.jobs.size(), 1U);
}

TEST(Engine, AFailedJobWaitsForItsBackoffAndRunsAgain) {
  EngineHarness shard;
  shard.enqueue(1, job_with("p"));
  const auto worker = shard.worker(1, 2);
  const Token token = shard.take_deliveries().at(0).token;
  shard.settle(worker, token, OutcomeKind::retry);
  EXPECT_EQ(shard.store.jobs.begin()->second.state, State::retryable);
  shard.pass(10'000);
  shard.idle();
  EXPECT_TRUE(shard.take_deliveries().empty());
  shard.turn(SessionBeat{worker});
  shard.pass(8'000);
  shard.idle();
  const auto again = shard.take_deliveries();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].attempt, 2U);
  EXPECT_EQ(again[0].payload.bytes(), "p");
}

TEST(Engine, TheLastAttemptEndsInTheDeadLetterQueueAndARequeueRunsItAgain) {
  EngineHarness shard;
  NewJob job = job_with("p");
  job.attempts_max = 1;
  const auto ref = shard.enqueue(1, job).at(0);
  const auto worker = shard.worker(1, 5);
  shard.settle(worker, shard.take_deliveries().at(0).token, OutcomeKind::retry);
  ASSERT_TRUE(shard.store.finished.contains(ref));
  EXPECT_EQ(shard.store.finished.at(ref).finish.reason, DeadReason::exhausted);
  EXPECT_EQ(shard.store.finished.at(ref).finish.error, "why");
  shard.turn(DeadCommand{1, false, "t", {}, 10});
  EXPECT_EQ(shard.last<Counted>().count, 1U);
  const auto again = shard.take_deliveries();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].attempt, 1U);
  EXPECT_TRUE(shard.store.finished.empty());
}

// After a restart the window is empty: the page that it asks for is read before the requeued row is
// written.
TEST(Engine, ARequeuedJobIsNotPassedOverByAPageThatWasAskedForBefore) {
  EngineHarness shard;
  NewJob job = job_with("p");
  job.attempts_max = 1;
  const auto dead = shard.enqueue(1, job).at(0);
  const auto worker = shard.worker(1, 1);
  shard.settle(worker, shard.take_deliveries().at(0).token, OutcomeKind::retry);
  shard.turn(SessionClose{1, worker});
  const auto waiting = shard.enqueue(1).at(0);
  shard.crash();
  shard.turn(DeadCommand{1, false, "t", {}, 10});
  ASSERT_EQ(shard.last<Counted>().count, 1U);
  (void)shard.worker(2, 5);
  std::set<std::uint64_t> begun;
  for (const Delivered& delivered : shard.take_deliveries()) begun.insert(delivered.seq);
  EXPECT_EQ(begun, (std::set<std::uint64_t>{dead.seq, waiting.seq}));
}

TEST(Engine, ASilentWorkerLosesItsJobsAndItsTokens) {
  EngineHarness shard;
  shard.enqueue(1);
  const auto silent = shard.worker(1, 1);
  const Token token = shard.take_deliveries().at(0).token;
  const auto other = shard.worker(2, 1);
  for (int i = 0; i < 60; ++i) {
    shard.pass(1'000);
    shard.turn(SessionBeat{other});
    shard.idle();
  }
  ASSERT_EQ(shard.take_deliveries().size(), 1U);
  shard.turn(Settle{1, silent, {{token, OutcomeKind::completed, "", {}, {}}}, 0});
  EXPECT_EQ(shard.last<Refused>().why, Refusal::no_session);
}

TEST(Engine, AWallClockThatJumpsEndsNoLease) {
  EngineHarness shard;
  shard.enqueue(1);
  const auto worker = shard.worker(1, 1);
  const auto job = shard.take_deliveries().at(0);
  shard.now.wall_ms += 3'600'000;
  shard.now.mono_ms += lease_tick_ms;
  EXPECT_TRUE(shard.idle().revokes.empty());
  EXPECT_TRUE(shard.settle(worker, job.token).empty());
}

TEST(Engine, ABrokerThatWasStoppedEndsNoLease) {
  EngineHarness shard;
  shard.enqueue(1);
  const auto worker = shard.worker(1, 1);
  const auto job = shard.take_deliveries().at(0);
  shard.pass(lease_ms_default * 2);  // one tick after so long: nobody could be heard meanwhile
  shard.idle();
  EXPECT_TRUE(shard.settle(worker, job.token).empty());
}

TEST(Engine, AReleasedJobKeepsItsPlaceAndItsAttempts) {
  EngineHarness shard;
  const auto refs = shard.enqueue(2);
  const auto worker = shard.worker(1, 1);
  shard.settle(worker, shard.take_deliveries().at(0).token, OutcomeKind::release, 1);
  const auto again = shard.take_deliveries();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].seq, refs[0].seq);
  EXPECT_EQ(again[0].attempt, 1U);
}

TEST(Engine, PriorityGoesFirstAndAgeCatchesUp) {
  EngineHarness shard;
  NewJob low, high;
  low.priority = 9;
  high.priority = 0;
  const auto old = shard.enqueue(1, low).at(0);
  const auto urgent = shard.enqueue(1, high).at(0);
  const auto worker = shard.worker(1, 1);
  EXPECT_EQ(shard.take_deliveries().at(0).seq, urgent.seq);
  shard.pass(9 * ageing_step_ms + 1);
  shard.enqueue(1, high);
  shard.turn(Grant{worker, 1});
  EXPECT_EQ(shard.take_deliveries().at(0).seq, old.seq);
}

TEST(Engine, AScheduledJobDoesNotRunBeforeItsTime) {
  EngineHarness shard;
  NewJob later;
  later.due_ms = shard.now.wall_ms + 5'000;
  shard.enqueue(1, later);
  shard.worker(1, 1);
  shard.pass(4'999);
  shard.idle();
  EXPECT_TRUE(shard.take_deliveries().empty());
  shard.pass(1);
  shard.idle();
  EXPECT_EQ(shard.take_deliveries().size(), 1U);
}

TEST(Engine, AWallClockSetBackLosesNoScheduledJob) {
  EngineHarness shard;
  shard.worker(1, 10);
  NewJob soon;
  soon.due_ms = shard.now.wall_ms + 1'000;
  shard.enqueue(1, soon);
  shard.pass(2'000);
  shard.idle();
  ASSERT_EQ(shard.take_deliveries().size(), 1U);
  shard.now.wall_ms -= 3'600'000;
  soon.due_ms = shard.now.wall_ms + 1'000;
  shard.enqueue(1, soon);
  shard.pass(1'000);
  shard.idle();
  EXPECT_EQ(shard.take_deliveries().size(), 1U);
}

TEST(Engine, ACancelledJobDoesNotStartWhereverItWas) {
  EngineHarness shard;
  NewJob later;
  later.due_ms = shard.now.wall_ms + 5'000;
  const auto running = shard.enqueue(1).at(0);
  const auto worker = shard.worker(1, 1);
  const Token token = shard.take_deliveries().at(0).token;
  const auto ready = shard.enqueue(1).at(0);
  const auto scheduled = shard.enqueue(1, later).at(0);
  for (const JobRef& ref : {running, ready, scheduled}) {
    shard.turn(Cancel{1, "t", ref.partition, ref.seq});
    EXPECT_TRUE(std::holds_alternative<Cancelled>(shard.replies.back().body));
  }
  EXPECT_EQ(shard.settle(worker, token, OutcomeKind::completed, 5), std::vector<Token>{token});
  shard.pass(6'000);
  shard.idle();
  EXPECT_TRUE(shard.take_deliveries().empty());
  EXPECT_TRUE(shard.store.jobs.empty());
}

TEST(Engine, ABatchSentTwiceIsStoredOnce) {
  EngineHarness shard;
  Enqueue batch{1, "t", 0, ProducerStamp{session_id(9), 1, 1}, {}};
  batch.jobs.resize(3);
  shard.turn(batch);
  const auto first = shard.last<Stored>();
  shard.crash();
  shard.turn(batch);
  const auto second = shard.last<Stored>();
  EXPECT_TRUE(second.duplicate);
  EXPECT_EQ(second.first_seq, first.first_seq);
  EXPECT_EQ(shard.store.jobs.size(), 3U);
}

TEST(Engine, ABatchCannotCallItselfOrALaterOneAnswered) {
  EngineHarness shard;
  for (const std::uint64_t answered : {4U, 5U}) {
    Enqueue batch{1, "t", 0, ProducerStamp{session_id(9), 1, 4, answered}, {}};
    batch.jobs.resize(1);
    shard.turn(batch);
    EXPECT_EQ(shard.last<Refused>().why, Refusal::invalid);
  }
  EXPECT_TRUE(shard.store.jobs.empty());
}

TEST(Engine, APausedTopicDeliversNothingAndSaysWhy) {
  EngineHarness shard;
  const auto ref = shard.enqueue(1).at(0);
  shard.turn(PauseTopic{1, "t", true});
  shard.worker(1, 1);
  EXPECT_TRUE(shard.take_deliveries().empty());
  EXPECT_EQ(shard.engine->explain(shard.store.jobs.at(ref), shard.now).word, "paused");
  shard.turn(PauseTopic{1, "t", false});
  EXPECT_EQ(shard.take_deliveries().size(), 1U);
}

TEST(Engine, DrainEndsDeliveriesAtOnce) {
  EngineHarness shard;
  const auto worker = shard.worker(1, 5);
  shard.turn(Drain{1, worker});
  shard.enqueue(3);
  EXPECT_TRUE(shard.take_deliveries().empty());
}

TEST(Engine, ABacklogLargerThanTheWindowIsDeliveredInOrder) {
  EngineHarness shard;
  const int total = static_cast<int>(lane_jobs_max) + 2'000;
  for (int i = 0; i < total; i += 500) shard.enqueue(std::min(500, total - i));
  EXPECT_LE(shard.engine->window_jobs(), lane_jobs_max);
  const auto worker = shard.worker(1, 100);
  std::uint64_t expected = 1;
  for (auto jobs = shard.take_deliveries(); !jobs.empty(); jobs = shard.take_deliveries()) {
    Settle settle{1, worker, {}, jobs.size()};
    for (const auto& job : jobs) {
      ASSERT_EQ(job.seq, expected++);
      settle.outcomes.push_back({job.token, OutcomeKind::completed, {}, {}, {}});
    }
    shard.turn(std::move(settle));
  }
  EXPECT_EQ(expected, static_cast<std::uint64_t>(total) + 1);
  EXPECT_TRUE(shard.store.jobs.empty());
}

}  // namespace
}  // namespace millrace::core::test
