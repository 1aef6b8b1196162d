// Restarts of the broker: live workers keep the deliveries that they hold, and no job runs twice
// because of it.
#include "engine_test_kit.h"

#include <gtest/gtest.h>

namespace millrace::core::test {
namespace {

HeldJob held(const Delivered& job) { return {"t", 0, job.seq, job.token}; }

TEST(EngineRestart, ALiveWorkerKeepsAShortJobThatWasNeverWrittenDown) {
  EngineHarness shard;
  shard.enqueue(1);
  shard.worker(1, 1);
  const auto job = shard.take_deliveries().at(0);
  shard.crash();
  const auto worker = shard.worker(1, 1, {held(job)});
  EXPECT_TRUE(shard.last<Opened>().lost.empty());
  EXPECT_TRUE(shard.take_deliveries().empty());
  EXPECT_TRUE(shard.settle(worker, job.token).empty());
  EXPECT_TRUE(shard.store.jobs.empty());
}

TEST(EngineRestart, AClaimThatIsMadeTwiceIsKeptAndNotRevoked) {
  EngineHarness shard;
  shard.enqueue(1);
  const auto worker = shard.worker(1, 1);
  const auto job = shard.take_deliveries().at(0);
  shard.crash();
  const Effects said = shard.turn(SessionOpen{1, worker, "w1", {held(job), held(job)}});
  EXPECT_TRUE(said.revokes.empty());
  EXPECT_TRUE(shard.last<Opened>().lost.empty());
  EXPECT_TRUE(shard.settle(worker, job.token).empty());
}

TEST(EngineRestart, ATokenThatIsClaimedForTwoJobsHasOneLease) {
  EngineHarness shard;
  shard.enqueue(2);
  const auto worker = shard.worker(1, 2);
  const auto jobs = shard.take_deliveries();
  ASSERT_EQ(jobs.size(), 2U);
  shard.crash();
  const HeldJob lie{"t", 0, jobs[1].seq, jobs[0].token};
  shard.turn(SessionOpen{1, worker, "w1", {held(jobs[0]), lie}});
  EXPECT_TRUE(shard.last<Opened>().lost.empty());
  EXPECT_TRUE(shard.settle(worker, jobs[0].token).empty());
  EXPECT_EQ(shard.store.jobs.size(), 1U);  // the other waits
}

TEST(EngineRestart, ATokenThatTwoWorkersClaimForTwoJobsHasOneLease) {
  EngineHarness shard;
  shard.enqueue(2);
  const auto first = shard.worker(1, 1);
  const auto second = shard.worker(2, 1);
  const auto jobs = shard.take_deliveries();
  ASSERT_EQ(jobs.size(), 2U);
  shard.crash();
  Effects opened;
  shard.engine->step(SessionOpen{1, first, "w1", {held(jobs[0])}}, shard.now, opened);
  const HeldJob lie{"t", 0, jobs[1].seq, jobs[0].token};
  shard.engine->step(SessionOpen{2, second, "w2", {lie}}, shard.now, opened);
  ASSERT_EQ(opened.loads.size(), 2U);
  shard.turn(shard.store.load(opened.loads[0]));
  EXPECT_TRUE(shard.last<Opened>().lost.empty());
  shard.turn(shard.store.load(opened.loads[1]));
  EXPECT_EQ(shard.last<Opened>().lost, std::vector<Token>{jobs[0].token});
  EXPECT_TRUE(shard.settle(first, jobs[0].token).empty());
}

// A worker that missed the grace after a restart, and another to whom its job was given since.
struct Overtaken {
  Overtaken() {
    shard.enqueue(1);
    first = shard.worker(1, 1);
    old = shard.take_deliveries().at(0);
    shard.crash();
    second = shard.worker(2, 1);
    shard.pass(grace_ms_max);
    shard.idle();
    fresh = shard.take_deliveries().at(0);
  }
  void expect_that_the_first_has_lost_it() {
    shard.turn(SessionOpen{1, first, "w1", {held(old)}});
    EXPECT_EQ(shard.last<Opened>().lost, std::vector<Token>{old.token});
  }
  EngineHarness shard;
  SessionId first{}, second{};
  Delivered old, fresh;
};

TEST(EngineRestart, ATokenFromBeforeDoesNotComeBackToLifeAfterAnotherHasRun) {
  Overtaken scene;
  ASSERT_TRUE(scene.shard.settle(scene.second, scene.fresh.token, OutcomeKind::retry).empty());
  scene.expect_that_the_first_has_lost_it();
}

// A requeued job starts again without any state of its runs.
TEST(EngineRestart, ATokenFromBeforeDoesNotComeBackToLifeOnAJobThatWasRequeued) {
  Overtaken scene;
  ASSERT_TRUE(scene.shard.settle(scene.second, scene.fresh.token, OutcomeKind::discard).empty());
  scene.shard.turn(DeadCommand{1, false, "t", {}, 10});
  ASSERT_EQ(scene.shard.last<Counted>().count, 1U);
  scene.expect_that_the_first_has_lost_it();
}

TEST(EngineRestart, AnOutcomeThatWasStoredIsNotCountedAgainThoughItsAnswerWasLost) {
  for (const auto kind : {OutcomeKind::retry, OutcomeKind::crashed}) {
    EngineHarness shard;
    const auto ref = shard.enqueue(1).at(0);
    const auto worker = shard.worker(1, 1);
    const auto job = shard.take_deliveries().at(0);
    ASSERT_TRUE(shard.settle(worker, job.token, kind).empty());
    shard.crash();
    shard.worker(1, 1, {held(job)});
    EXPECT_EQ(shard.last<Opened>().lost, std::vector<Token>{job.token});
    EXPECT_EQ(shard.settle(worker, job.token, kind), std::vector<Token>{job.token});
    EXPECT_EQ(shard.store.jobs.at(ref).attempt, 1U);
  }
}

// Storage answers late here: the worker has been told otherwise meanwhile.
TEST(EngineRestart, AClaimThatIsAnsweredAfterALaterHelloIsVoid) {
  EngineHarness shard;
  shard.enqueue(1);
  const auto worker = shard.worker(1, 1);
  const auto job = shard.take_deliveries().at(0);
  shard.crash();
  Effects first;
  shard.engine->step(SessionOpen{1, worker, "w1", {held(job)}}, shard.now, first);
  ASSERT_EQ(first.loads.size(), 1U);
  shard.turn(SessionDied{worker, "was killed"});
  shard.turn(SessionOpen{2, worker, "w1", {held(job)}});
  ASSERT_EQ(shard.last<Opened>().lost, std::vector<Token>{job.token});
  shard.turn(shard.store.load(first.loads.front()));
  EXPECT_FALSE(shard.engine->running({1, 0, job.seq}));
}

TEST(EngineRestart, DeliveriesAreHeldUntilKnownWorkersAreBackOrTheGraceIsOver) {
  EngineHarness shard;
  shard.enqueue(1);
  shard.worker(1, 1);
  ASSERT_EQ(shard.take_deliveries().size(), 1U);
  shard.crash();
  shard.worker(2, 1);
  EXPECT_TRUE(shard.take_deliveries().empty());
  EXPECT_GT(shard.engine->grace_ms(shard.now), 0);
  shard.pass(grace_ms_max);
  shard.idle();
  EXPECT_EQ(shard.take_deliveries().size(), 1U);
}

TEST(EngineRestart, ALongLeaseSurvivesAndItsDeathIsCounted) {
  EngineHarness shard;
  const auto ref = shard.enqueue(1).at(0);
  shard.worker(1, 1);
  shard.pass(lease_tick_ms);
  shard.idle();
  ASSERT_EQ(shard.store.leases.size(), 1U);
  shard.crash();
  for (int i = 0; i < 31; ++i) {
    shard.pass(1'000);
    shard.idle();
  }
  EXPECT_EQ(shard.store.jobs.at(ref).deaths, 1U);
  EXPECT_TRUE(shard.store.leases.empty());
}

TEST(EngineRestart, ATokenFromBeforeIsStaleOnceTheJobWasGivenToAnother) {
  EngineHarness shard;
  shard.enqueue(1);
  shard.worker(1, 1);
  const auto first = shard.take_deliveries().at(0);
  shard.crash();
  shard.pass(grace_ms_max);
  shard.worker(2, 1);
  const auto second = shard.take_deliveries().at(0);
  EXPECT_GT(second.token, first.token);
  shard.worker(1, 1, {held(first)});
  EXPECT_EQ(shard.last<Opened>().lost, std::vector<Token>{first.token});
  EXPECT_TRUE(shard.settle(session_id(2), second.token).empty());
}

TEST(EngineRestart, APartitionThatIsNewBeginsWhereStorageSays) {
  Engine engine({}, {.first_seq = 1'001}, {});
  for (const std::uint64_t seq : {1'001U, 1'002U}) {
    Effects said;
    engine.step(Enqueue{1, "t", 3, {}, {job_with("p")}}, {}, said);
    ASSERT_EQ(said.replies.size(), 1U);
    EXPECT_EQ(std::get<Stored>(said.replies.front().body).first_seq, seq);
  }
}

TEST(EngineRestart, AnUnknownSessionCannotClaim) {
  EngineHarness shard;
  shard.enqueue(1);
  shard.worker(1, 1);
  const auto job = shard.take_deliveries().at(0);
  shard.crash();
  shard.worker(7, 0, {held(job)});
  EXPECT_EQ(shard.last<Opened>().lost, std::vector<Token>{job.token});
}

TEST(EngineRestart, ADeliveryLostOnTheWayIsGivenAgainWithoutCountingAnAttempt) {
  EngineHarness shard;
  shard.enqueue(1);
  shard.worker(1, 1);
  const auto lost = shard.take_deliveries().at(0);
  shard.worker(1, 1, {});
  const auto again = shard.take_deliveries();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].seq, lost.seq);
  EXPECT_EQ(again[0].attempt, 1U);
}

}  // namespace
}  // namespace millrace::core::test
