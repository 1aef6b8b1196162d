// A job whose worker dies: it waits, and only deaths that are a minute apart count towards
// quarantine.
#include "engine_test_kit.h"

#include <gtest/gtest.h>
#include <string>

namespace millrace::core::test {
namespace {

// Gives the one job to a worker that dies of it at once, when it is due.
class Deaths : public ::testing::Test {
 protected:
  explicit Deaths(EngineOptions options = {}) : shard_(options) {
    NewJob job = job_with("p");
    job.attempts_max = 25;
    ref_ = shard_.enqueue(1, job).at(0);
  }
  void wait(std::int64_t ms) {
    shard_.pass(ms);
    shard_.idle();
  }
  // Waits for its time as well, where it has one.
  void die() {
    if (const std::int64_t due_ms = row().due_ms; due_ms > shard_.now.wall_ms) {
      wait(due_ms - shard_.now.wall_ms);
    }
    const auto worker = shard_.worker(++workers_, 1);
    ASSERT_EQ(shard_.take_deliveries().size(), 1U);
    shard_.turn(SessionDied{worker, "was killed"});
  }
  [[nodiscard]] const Job& row() const { return shard_.store.jobs.at(ref_); }
  [[nodiscard]] bool dead() const { return shard_.store.finished.contains(ref_); }
  [[nodiscard]] const JobFinish& end() const { return shard_.store.finished.at(ref_).finish; }

  EngineHarness shard_;
  JobRef ref_;
  std::uint8_t workers_ = 0;
};

EngineOptions with_backoff(std::int64_t min_ms, std::int64_t max_ms) {
  EngineOptions options;
  options.new_topic.backoff_ms_min = min_ms;
  options.new_topic.backoff_ms_max = max_ms;
  return options;
}

class DeathsInARow : public Deaths {
 protected:
  DeathsInARow() : Deaths(with_backoff(0, 0)) {}
};

TEST_F(Deaths, ADeathWaitsForTheTopicsBackoffAsAFailureDoes) {
  die();
  EXPECT_EQ(row().state, State::retryable);
  EXPECT_GE(row().due_ms - shard_.now.wall_ms, 14'400);
  EXPECT_LE(row().due_ms - shard_.now.wall_ms, 17'600);
  EXPECT_EQ(row().error, "worker w1 was killed");
  (void)shard_.worker(100, 1);
  wait(14'000);
  EXPECT_TRUE(shard_.take_deliveries().empty());
  wait(4'000);
  EXPECT_EQ(shard_.take_deliveries().size(), 1U);
}

TEST_F(Deaths, ACommandThatCrashedWaitsToo) {
  const auto worker = shard_.worker(1, 2);
  shard_.settle(worker, shard_.take_deliveries().at(0).token, OutcomeKind::crashed);
  EXPECT_TRUE(shard_.take_deliveries().empty());
  EXPECT_EQ(row().state, State::retryable);
  EXPECT_GE(row().due_ms - shard_.now.wall_ms, 14'400);
  EXPECT_EQ(row().deaths, 1U);
}

TEST_F(DeathsInARow, ADeathWaitsASecondThoughTheTopicHasNoBackoff) {
  die();
  EXPECT_EQ(row().due_ms - shard_.now.wall_ms, death_wait_ms_min_default);
}

TEST_F(DeathsInARow, ABadMinuteCountsOnce) {
  const std::int64_t begun_ms = shard_.now.wall_ms;
  while (shard_.now.wall_ms - begun_ms < 18'000) die();
  ASSERT_FALSE(dead());
  EXPECT_EQ(row().deaths, 1U);
  EXPECT_GT(row().attempt, 10U);
}

// However close they follow, a job does not loop for ever.
TEST_F(DeathsInARow, AttemptsCountThoughDeathsDoNot) {
  for (int i = 0; i < 25; ++i) die();
  ASSERT_TRUE(dead());
  EXPECT_EQ(end().reason, DeadReason::exhausted);
  EXPECT_EQ(end().attempt, 25U);
  EXPECT_EQ(end().deaths, 1U);
}

TEST_F(DeathsInARow, ThreeDeathsThatAreApartQuarantineAJobAndItsErrorSaysSo) {
  die();
  wait(59'999);
  die();
  EXPECT_EQ(row().deaths, 1U);
  wait(59'999);  // a minute after the one that counted, less than that after the last
  die();
  EXPECT_EQ(row().deaths, 2U);
  wait(60'000);
  die();
  ASSERT_TRUE(dead());
  EXPECT_EQ(end().reason, DeadReason::quarantined);
  EXPECT_EQ(end().deaths, 3U);
  EXPECT_EQ(end().attempt, 4U);
  EXPECT_EQ(end().error,
            "quarantined: its workers died 3 times, each at least 60 s after the one before; the "
            "last time: worker w4 was killed");
}

// The default backoff grows past a minute by itself.
TEST_F(Deaths, AJobThatKillsEveryWorkerIsQuarantinedWithoutAnybodyWaiting) {
  int deaths = 0;
  for (; !dead(); ++deaths) die();
  EXPECT_EQ(end().reason, DeadReason::quarantined);
  EXPECT_EQ(deaths, 5);
}

TEST_F(DeathsInARow, WhatCountedIsKnownAfterARestart) {
  die();
  shard_.crash();
  wait(5'000);
  die();
  EXPECT_EQ(row().deaths, 1U);
  shard_.crash();
  wait(60'000);
  die();
  EXPECT_EQ(row().deaths, 2U);
}

TEST_F(DeathsInARow, ARequeueClearsTheCount) {
  for (int i = 0; i < 3; ++i) {
    die();
    wait(60'000);
  }
  ASSERT_TRUE(dead());
  shard_.turn(DeadCommand{1, false, "t", {}, 10});
  die();
  ASSERT_FALSE(dead());
  EXPECT_EQ(row().deaths, 1U);
  EXPECT_EQ(row().attempt, 1U);
  die();
  EXPECT_EQ(row().deaths, 1U);
}

// The time between two deaths is not known then; a minute later it is again.
TEST_F(DeathsInARow, AWallClockThatWasSetBackHoldsNoCountForEver) {
  die();
  wait(2'000);
  const auto worker = shard_.worker(++workers_, 1);
  ASSERT_EQ(shard_.take_deliveries().size(), 1U);
  shard_.now.wall_ms -= 3'600'000;
  shard_.turn(SessionDied{worker, "was killed"});
  EXPECT_EQ(row().deaths, 1U);
  wait(60'000);
  die();
  EXPECT_EQ(row().deaths, 2U);
}

TEST_F(Deaths, WhatAWorkerHandsBackIsNoDeath) {
  const auto worker = shard_.worker(1, 1);
  ASSERT_EQ(shard_.take_deliveries().size(), 1U);
  shard_.turn(SessionClose{1, worker});
  EXPECT_EQ(row().deaths, 0U);
  EXPECT_EQ(row().attempt, 0U);
  EXPECT_EQ(row().due_ms, 0);
}

TEST_F(Deaths, ExplainSaysHowManyDeathsCount) {
  die();
  const std::string text = shard_.engine->explain(row(), shard_.now).text;
  EXPECT_NE(text.find("Attempt 1 failed (worker w1 was killed); the next attempt is due in 1"),
            std::string::npos);
  EXPECT_NE(text.find("1 of the 3 worker deaths that quarantine the job"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace millrace::core::test
