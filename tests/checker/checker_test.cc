// For every rule of the checker histories that pass and one that fails.
#include "told.h"

#include <gtest/gtest.h>

namespace millrace::testing {
namespace {

TEST(Checker, AJobThatIsDoneIsWell) {
  Told told = one_job();
  told.row(1, "completed");
  EXPECT_EQ(told.broken(), "");
}

TEST(Checker, LostWithoutARow) {
  Told told;
  told.taken(1);
  EXPECT_EQ(told.broken(), "lost");
}

TEST(Checker, NotLostWhenNobodyAcknowledgedIt) {
  Told told;
  told.enqueue(1);
  told.event(EventKind::unknown).tag = "1";
  EXPECT_EQ(told.broken(), "");
}

TEST(Checker, NotLostWithoutHistoryWhenItWasDone) { EXPECT_EQ(one_job().broken(), ""); }

TEST(Checker, LostWithHistoryThoughItWasDone) {
  Told told = one_job();
  told.taken(2);
  told.deliver(2, token_of(1, 2), "w");
  told.done(2, token_of(1, 2), "w");
  told.row(2, "completed");
  EXPECT_EQ(told.broken(), "lost");
}

TEST(Checker, LostOutcomeThatWasAccepted) {
  Told told = one_job();
  told.row(1, "available", 1);
  EXPECT_EQ(told.broken(), "lost");
}

TEST(Checker, TwoRowsOfATagAreTwice) {
  Told told = one_job();
  told.row(1, "completed");
  told.row(2, "available", 0).tag = "1";
  EXPECT_EQ(told.broken(), "twice");
}

TEST(Checker, TwoEndsAreTwice) {
  Told told = one_job();
  told.deliver(1, token_of(1, 2), "v", 2);
  told.done(1, token_of(1, 2), "v");
  told.row(1, "completed", 2);
  EXPECT_EQ(told.broken(), "twice");
}

TEST(Checker, AnEndAskedForTwiceIsWell) {
  Told told = one_job();
  told.settle(1, token_of(1, 1), "w");
  told.of(EventKind::stale, 1).token = token_of(1, 1);
  told.row(1, "completed");
  EXPECT_EQ(told.broken(), "");
}

TEST(Checker, GivenAfterItsEndIsTwice) {
  Told told = one_job();
  told.deliver(1, token_of(1, 2), "v", 2);
  told.row(1, "completed");
  EXPECT_EQ(told.broken(), "twice");
}

TEST(Checker, ATokenIsGivenOnce) {
  Told told = one_job();
  told.deliver(1, token_of(1, 1), "v", 1);
  told.row(1, "completed");
  EXPECT_EQ(told.broken(), "token");
}

TEST(Checker, TokensRiseOverARestart) {
  for (const bool well : {true, false}) {
    Told told;
    told.taken(1);
    told.deliver(1, token_of(2, 7), "w");
    told.crash();
    const Token second = well ? token_of(3, 1) : token_of(2, 6);
    told.deliver(1, second, "v");
    told.settle(1, second, "v");
    told.row(1, "completed");
    EXPECT_EQ(told.broken(), well ? "" : "token");
  }
}

TEST(Checker, WhatLeavesRisesEvenWithoutARestart) {
  Told told;
  told.taken(1);
  told.issue(1, token_of(2, 7), "w");
  told.issue(1, token_of(2, 6), "w");
  told.row(1, "available", 0);
  EXPECT_EQ(told.broken(), "token");
}

TEST(Checker, OnlyTheHolderOfTheNewestTokenSettles) {
  for (const bool well : {true, false}) {
    Told told;
    told.taken(1);
    told.deliver(1, token_of(1, 1), "w");
    told.deliver(1, token_of(1, 2), "v", 2);
    const Token token = token_of(1, well ? 2 : 1);
    told.done(1, token, well ? "v" : "w");
    told.row(1, "completed", 2);
    EXPECT_EQ(told.broken(), well ? "" : "fence twice");
  }
}

TEST(Checker, ATokenSentBeforeANewerOneMayBeAnsweredAfterIt) {
  Told told;
  told.taken(1);
  told.deliver(1, token_of(1, 1), "w");
  told.settle(1, token_of(1, 1), "w", "release");
  told.deliver(1, token_of(1, 2), "v");
  told.settled(1, token_of(1, 1), "release");
  told.done(1, token_of(1, 2), "v");
  told.row(1, "completed");
  EXPECT_EQ(told.broken(), "");
}

TEST(Checker, ATokenOfAnotherWorkerIsNoProof) {
  Told told;
  told.taken(1);
  told.deliver(1, token_of(1, 1), "w");
  told.settle(1, token_of(1, 1), "liar");
  told.settled(1, token_of(1, 1)).by = "liar";
  told.row(1, "completed");
  EXPECT_EQ(told.broken(), "fence");
}

TEST(Checker, JobsOfAKeyAreNumberedInTheirOrder) {
  for (const bool well : {true, false}) {
    Told told;
    told.enqueue(well ? 1 : 2).key = "k";
    told.enqueued(well ? 1 : 2);
    told.enqueue(well ? 2 : 1).key = "k";
    told.enqueued(well ? 2 : 1);
    told.row(1, "available", 0);
    told.row(2, "available", 0);
    EXPECT_EQ(told.broken(), well ? "" : "order");
  }
}

TEST(Checker, JobsOfAKeyAreFirstGivenInTheirOrder) {
  for (const bool well : {true, false}) {
    Told told;
    for (const int n : {1, 2}) {
      HistoryEvent& sent = told.enqueue(n);
      sent.key = "k";
      sent.priority = 5;
      told.enqueued(n);
    }
    told.issue(well ? 1 : 2, token_of(1, 1), "w");
    told.issue(well ? 2 : 1, token_of(1, 2), "w");
    told.row(1, "running", 0);
    told.row(2, "running", 0);
    EXPECT_EQ(told.broken(), well ? "" : "order");
  }
}

TEST(Checker, AttemptsStayWithinTheLimit) {
  for (const std::uint32_t attempt : {2U, 3U}) {
    Told told;
    told.enqueue(1).attempts_max = 2;
    told.enqueued(1);
    told.deliver(1, token_of(1, 1), "w", attempt);
    told.row(1, "running", 1);
    EXPECT_EQ(told.broken(), attempt == 2 ? "" : "attempts");
  }
}

TEST(Checker, AnAcceptedFailureIsCounted) {
  for (const std::uint32_t attempt : {2U, 1U}) {
    Told told;
    told.taken(1);
    told.deliver(1, token_of(1, 1), "w");
    told.settle(1, token_of(1, 1), "w", "retry");
    told.settled(1, token_of(1, 1), "retry");
    told.deliver(1, token_of(1, 2), "w", attempt);
    told.row(1, "running", 1);
    EXPECT_EQ(told.broken(), attempt == 2 ? "" : "attempts");
  }
}

TEST(Checker, AnAttemptIsCountedOnce) {
  for (const std::uint32_t attempts : {1U, 2U}) {
    Told told;
    told.taken(1);
    told.issue(1, token_of(1, 1), "w");
    told.row(1, "available", attempts);
    EXPECT_EQ(told.broken(), attempts == 1 ? "" : "attempts");
  }
}

TEST(Checker, DeadAreThoseThatWereExhausted) {
  for (const std::uint32_t attempts : {3U, 2U}) {
    Told told;
    told.enqueue(1).attempts_max = 3;
    told.enqueued(1);
    told.deliver(1, token_of(1, 1), "w");
    told.row(1, "dead", attempts, "exhausted");
    EXPECT_EQ(told.broken(), attempts == 3 ? "" : "dead");
  }
}

TEST(Checker, AJobWithoutAttemptsLeftIsDead) {
  Told told;
  told.enqueue(1).attempts_max = 3;
  told.enqueued(1);
  told.row(1, "retryable", 3);
  EXPECT_EQ(told.broken(), "dead");
}

TEST(Checker, ThreeDeathsQuarantine) {
  for (const std::uint32_t deaths : {3U, 2U}) {
    Told told;
    told.taken(1);
    told.row(1, "dead", 3, "quarantined").deaths = deaths;
    EXPECT_EQ(told.broken(), deaths == 3 ? "" : "dead");
  }
}

TEST(Checker, ThreeDeathsLeaveNoJobAlive) {
  Told told;
  told.taken(1);
  told.row(1, "available", 3).deaths = 3;
  EXPECT_EQ(told.broken(), "dead");
}

TEST(Checker, SubmittedIsTheSumOverTheStates) {
  for (const std::uint64_t enqueued : {1U, 2U}) {
    Told told = one_job();
    told.row(1, "completed");
    HistoryEvent& counts = told.event(EventKind::counts);
    counts.topic = "t";
    counts.counts = {{"enqueued", enqueued}, {"completed", 1}};
    EXPECT_EQ(told.broken(), enqueued == 1 ? "" : "counts");
  }
}

TEST(Checker, CountersAgreeWithTheRows) {
  Told told;
  told.taken(1);
  told.row(1, "available", 0);
  HistoryEvent& counts = told.event(EventKind::counts);
  counts.topic = "t";
  counts.counts = {{"enqueued", 1}, {"completed", 1}};
  EXPECT_EQ(told.broken(), "counts");
}

TEST(Checker, NothingComesFromNowhere) {
  Told told = one_job();
  told.row(1, "completed");
  told.row(2, "available", 0);
  EXPECT_EQ(told.broken(), "nowhere");
}

TEST(Checker, WhatWasRefusedIsNotThere) {
  for (const bool well : {true, false}) {
    Told told = one_job();
    told.row(1, "completed");
    told.enqueue(2);
    told.event(EventKind::refused).tag = "2";
    if (!well) told.row(2, "available", 0);
    EXPECT_EQ(told.broken(), well ? "" : "nowhere");
  }
}

TEST(Checker, NobodyEndsAJobButItsWorkers) {
  Told told;
  told.taken(1);
  told.deliver(1, token_of(1, 1), "w");
  told.row(1, "completed");
  EXPECT_EQ(told.broken(), "nowhere");
}

TEST(Checker, AllJobsEndOnceFaultsAreOver) {
  for (const bool well : {true, false}) {
    Told told = one_job();
    told.event(EventKind::faults_over);
    told.row(1, "completed");
    told.taken(2);
    told.deliver(2, token_of(1, 2), "w");
    told.settle(2, token_of(1, 2), "w");
    told.row(2, well ? "completed" : "running", 1);
    EXPECT_EQ(told.broken(), well ? "" : "end");
  }
}

TEST(Checker, NoRunBeforeItsTime) {
  for (const std::int64_t wall_ms : {1'000, 999}) {
    Told told;
    told.enqueue(1).run_at_ms = 1'000;
    told.enqueued(1);
    told.deliver(1, token_of(1, 1), "w").wall_ms = wall_ms;
    told.row(1, "running", 0);
    EXPECT_EQ(told.broken(), wall_ms == 1'000 ? "" : "early");
  }
}

TEST(Checker, ATimeThatWasReachedOnceStaysReached) {
  Told told;
  told.enqueue(1).run_at_ms = 1'000;
  told.enqueued(1);
  told.event(EventKind::clock).wall_ms = 1'200;
  told.deliver(1, token_of(1, 1), "w").wall_ms = 200;
  told.row(1, "running", 0);
  EXPECT_EQ(told.broken(), "");
}

TEST(Checker, NoRunAfterItsAcknowledgedCancel) {
  for (const bool well : {true, false}) {
    Told told;
    told.taken(1);
    if (well) told.issue(1, token_of(1, 1), "w");
    told.of(EventKind::cancel, 1);
    told.of(EventKind::cancelled, 1);
    if (!well) told.issue(1, token_of(1, 1), "w");
    told.row(1, "cancelled", 0);
    EXPECT_EQ(told.broken(), well ? "" : "cancel");
  }
}

TEST(Checker, NothingIsSettledAfterItsCancel) {
  Told told;
  told.taken(1);
  told.deliver(1, token_of(1, 1), "w");
  told.of(EventKind::cancel, 1);
  told.of(EventKind::cancelled, 1);
  told.settle(1, token_of(1, 1), "w", "retry");
  told.settled(1, token_of(1, 1), "retry");
  told.row(1, "cancelled", 1);
  EXPECT_EQ(told.broken(), "cancel");
}

TEST(Checker, TheIntegrityCheckIsClean) {
  Told told = one_job();
  told.event(EventKind::end).word = "row 3 missing from index";
  EXPECT_EQ(told.broken(), "integrity");
}

TEST(Checker, AHistoryHasAnEnd) {
  EXPECT_EQ(check_history(one_job().history()).back().rule, "integrity");
}

// Two jobs, the first of which was done before the second was sent.
Told before_a_backup() {
  Told told = one_job();
  told.taken(2);
  return told;
}

TEST(Checker, ARestoredBackupIsOneMoment) {
  Told told = before_a_backup();
  told.row(1, "completed");
  told.row(2, "available", 0);
  EXPECT_EQ(told.broken_as_restored(), "");
}

TEST(Checker, ARestoredBackupMayBeEarly) {
  Told told = before_a_backup();
  told.row(1, "available", 0);
  EXPECT_EQ(told.broken_as_restored(), "");
}

TEST(Checker, ARestoredBackupIsNotOfTwoMoments) {
  Told told = before_a_backup();
  told.row(1, "available", 0);
  told.row(2, "available", 0);
  EXPECT_EQ(told.broken_as_restored(), "prefix");
}

TEST(Checker, ARestoredBackupHasWhatCameBeforeIt) {
  Told told = before_a_backup();
  told.event(EventKind::backup);
  told.row(1, "completed");
  EXPECT_EQ(told.broken_as_restored(), "prefix");
}

TEST(Checker, EveryEventIsReadAsItWasWritten) {
  Told told = before_a_backup();
  HistoryEvent& sent = told.enqueue(3);
  sent.key = "k";
  sent.run_at_ms = 5;
  sent.attempts_max = 3;
  sent.priority = 2;
  HistoryEvent& counts = told.event(EventKind::counts);
  counts.topic = "t";
  counts.counts = {{"enqueued", 3}};
  told.event(EventKind::clock).wall_ms = 9;
  told.answered(1, "running");
  told.row(1, "dead", 2, "exhausted").deaths = 1;
  History read;
  for (const auto& event : told.history()) EXPECT_EQ(read_event(write_event(event), read), "");
  ASSERT_EQ(read.size(), told.history().size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(write_event(read[i]), write_event(told.history()[i]));
  }
}

TEST(Checker, ALineThatIsNoEventIsSaid) {
  History read;
  EXPECT_NE(read_event(R"({"e":"made_up","t":1})", read), "");
  EXPECT_NE(read_event(R"({"e":"enqueued","t":1,"tag":"a"})", read), "");
  EXPECT_NE(read_event("{", read), "");
  EXPECT_TRUE(read.empty());
}

}  // namespace
}  // namespace millrace::testing
