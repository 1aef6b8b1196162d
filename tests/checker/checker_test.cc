// For every rule of the checker histories that pass and one that fails.
#include "history_builder.h"

#include <gtest/gtest.h>

namespace millrace::testing {
namespace {

TEST(Checker, AJobThatIsDoneIsWell) {
  HistoryBuilder history = one_job();
  history.row(1, "completed");
  EXPECT_EQ(history.broken(), "");
}

TEST(Checker, LostWithoutARow) {
  HistoryBuilder history;
  history.taken(1);
  EXPECT_EQ(history.broken(), "lost");
}

TEST(Checker, NotLostWhenNobodyAcknowledgedIt) {
  HistoryBuilder history;
  history.enqueue(1);
  history.event(EventKind::unknown).tag = "1";
  EXPECT_EQ(history.broken(), "");
}

TEST(Checker, NotLostWithoutHistoryWhenItWasDone) { EXPECT_EQ(one_job().broken(), ""); }

TEST(Checker, LostWithHistoryThoughItWasDone) {
  HistoryBuilder history = one_job();
  history.taken(2);
  history.deliver(2, token_of(1, 2), "w");
  history.done(2, token_of(1, 2), "w");
  history.row(2, "completed");
  EXPECT_EQ(history.broken(), "lost");
}

TEST(Checker, LostOutcomeThatWasAccepted) {
  HistoryBuilder history = one_job();
  history.row(1, "available", 1);
  EXPECT_EQ(history.broken(), "lost");
}

TEST(Checker, TwoRowsOfATagAreTwice) {
  HistoryBuilder history = one_job();
  history.row(1, "completed");
  history.row(2, "available", 0).tag = "1";
  EXPECT_EQ(history.broken(), "twice");
}

TEST(Checker, TwoEndsAreTwice) {
  HistoryBuilder history = one_job();
  history.deliver(1, token_of(1, 2), "v", 2);
  history.done(1, token_of(1, 2), "v");
  history.row(1, "completed", 2);
  EXPECT_EQ(history.broken(), "twice");
}

TEST(Checker, AnEndAskedForTwiceIsWell) {
  HistoryBuilder history = one_job();
  history.settle(1, token_of(1, 1), "w");
  history.of(EventKind::stale, 1).token = token_of(1, 1);
  history.row(1, "completed");
  EXPECT_EQ(history.broken(), "");
}

TEST(Checker, GivenAfterItsEndIsTwice) {
  HistoryBuilder history = one_job();
  history.deliver(1, token_of(1, 2), "v", 2);
  history.row(1, "completed");
  EXPECT_EQ(history.broken(), "twice");
}

TEST(Checker, ATokenIsGivenOnce) {
  HistoryBuilder history = one_job();
  history.deliver(1, token_of(1, 1), "v", 1);
  history.row(1, "completed");
  EXPECT_EQ(history.broken(), "token");
}

TEST(Checker, TokensRiseOverARestart) {
  for (const bool well : {true, false}) {
    HistoryBuilder history;
    history.taken(1);
    history.deliver(1, token_of(2, 7), "w");
    history.crash();
    const Token second = well ? token_of(3, 1) : token_of(2, 6);
    history.deliver(1, second, "v");
    history.settle(1, second, "v");
    history.row(1, "completed");
    EXPECT_EQ(history.broken(), well ? "" : "token");
  }
}

TEST(Checker, WhatLeavesRisesEvenWithoutARestart) {
  HistoryBuilder history;
  history.taken(1);
  history.issue(1, token_of(2, 7), "w");
  history.issue(1, token_of(2, 6), "w");
  history.row(1, "available", 0);
  EXPECT_EQ(history.broken(), "token");
}

TEST(Checker, OnlyTheHolderOfTheNewestTokenSettles) {
  for (const bool well : {true, false}) {
    HistoryBuilder history;
    history.taken(1);
    history.deliver(1, token_of(1, 1), "w");
    history.deliver(1, token_of(1, 2), "v", 2);
    const Token token = token_of(1, well ? 2 : 1);
    history.done(1, token, well ? "v" : "w");
    history.row(1, "completed", 2);
    EXPECT_EQ(history.broken(), well ? "" : "fence twice");
  }
}

TEST(Checker, ATokenSentBeforeANewerOneMayBeAnsweredAfterIt) {
  HistoryBuilder history;
  history.taken(1);
  history.deliver(1, token_of(1, 1), "w");
  history.settle(1, token_of(1, 1), "w", "release");
  history.deliver(1, token_of(1, 2), "v");
  history.settled(1, token_of(1, 1), "release");
  history.done(1, token_of(1, 2), "v");
  history.row(1, "completed");
  EXPECT_EQ(history.broken(), "");
}

TEST(Checker, ATokenOfAnotherWorkerIsNoProof) {
  HistoryBuilder history;
  history.taken(1);
  history.deliver(1, token_of(1, 1), "w");
  history.settle(1, token_of(1, 1), "liar");
  history.settled(1, token_of(1, 1)).by = "liar";
  history.row(1, "completed");
  EXPECT_EQ(history.broken(), "fence");
}

TEST(Checker, JobsOfAKeyAreNumberedInTheirOrder) {
  for (const bool well : {true, false}) {
    HistoryBuilder history;
    history.enqueue(well ? 1 : 2).key = "k";
    history.enqueued(well ? 1 : 2);
    history.enqueue(well ? 2 : 1).key = "k";
    history.enqueued(well ? 2 : 1);
    history.row(1, "available", 0);
    history.row(2, "available", 0);
    EXPECT_EQ(history.broken(), well ? "" : "order");
  }
}

TEST(Checker, JobsOfAKeyAreFirstGivenInTheirOrder) {
  for (const bool well : {true, false}) {
    HistoryBuilder history;
    for (const int n : {1, 2}) {
      HistoryEvent& sent = history.enqueue(n);
      sent.key = "k";
      sent.priority = 5;
      history.enqueued(n);
    }
    history.issue(well ? 1 : 2, token_of(1, 1), "w");
    history.issue(well ? 2 : 1, token_of(1, 2), "w");
    history.row(1, "running", 0);
    history.row(2, "running", 0);
    EXPECT_EQ(history.broken(), well ? "" : "order");
  }
}

TEST(Checker, AttemptsStayWithinTheLimit) {
  for (const std::uint32_t attempt : {2U, 3U}) {
    HistoryBuilder history;
    history.enqueue(1).attempts_max = 2;
    history.enqueued(1);
    history.deliver(1, token_of(1, 1), "w", attempt);
    history.row(1, "running", 1);
    EXPECT_EQ(history.broken(), attempt == 2 ? "" : "attempts");
  }
}

TEST(Checker, AnAcceptedFailureIsCounted) {
  for (const std::uint32_t attempt : {2U, 1U}) {
    HistoryBuilder history;
    history.taken(1);
    history.deliver(1, token_of(1, 1), "w");
    history.settle(1, token_of(1, 1), "w", "retry");
    history.settled(1, token_of(1, 1), "retry");
    history.deliver(1, token_of(1, 2), "w", attempt);
    history.row(1, "running", 1);
    EXPECT_EQ(history.broken(), attempt == 2 ? "" : "attempts");
  }
}

TEST(Checker, AnAttemptIsCountedOnce) {
  for (const std::uint32_t attempts : {1U, 2U}) {
    HistoryBuilder history;
    history.taken(1);
    history.issue(1, token_of(1, 1), "w");
    history.row(1, "available", attempts);
    EXPECT_EQ(history.broken(), attempts == 1 ? "" : "attempts");
  }
}

TEST(Checker, DeadAreThoseThatWereExhausted) {
  for (const std::uint32_t attempts : {3U, 2U}) {
    HistoryBuilder history;
    history.enqueue(1).attempts_max = 3;
    history.enqueued(1);
    history.deliver(1, token_of(1, 1), "w");
    history.row(1, "dead", attempts, "exhausted");
    EXPECT_EQ(history.broken(), attempts == 3 ? "" : "dead");
  }
}

TEST(Checker, AJobWithoutAttemptsLeftIsDead) {
  HistoryBuilder history;
  history.enqueue(1).attempts_max = 3;
  history.enqueued(1);
  history.row(1, "retryable", 3);
  EXPECT_EQ(history.broken(), "dead");
}

TEST(Checker, ThreeDeathsQuarantine) {
  for (const std::uint32_t deaths : {3U, 2U}) {
    HistoryBuilder history;
    history.taken(1);
    history.row(1, "dead", 3, "quarantined").deaths = deaths;
    EXPECT_EQ(history.broken(), deaths == 3 ? "" : "dead");
  }
}

TEST(Checker, ThreeDeathsLeaveNoJobAlive) {
  HistoryBuilder history;
  history.taken(1);
  history.row(1, "available", 3).deaths = 3;
  EXPECT_EQ(history.broken(), "dead");
}

TEST(Checker, SubmittedIsTheSumOverTheStates) {
  for (const std::uint64_t enqueued : {1U, 2U}) {
    HistoryBuilder history = one_job();
    history.row(1, "completed");
    HistoryEvent& counts = history.event(EventKind::counts);
    counts.topic = "t";
    counts.counts = {{"enqueued", enqueued}, {"completed", 1}};
    EXPECT_EQ(history.broken(), enqueued == 1 ? "" : "counts");
  }
}

TEST(Checker, CountersAgreeWithTheRows) {
  HistoryBuilder history;
  history.taken(1);
  history.row(1, "available", 0);
  HistoryEvent& counts = history.event(EventKind::counts);
  counts.topic = "t";
  counts.counts = {{"enqueued", 1}, {"completed", 1}};
  EXPECT_EQ(history.broken(), "counts");
}

TEST(Checker, NothingComesFromNowhere) {
  HistoryBuilder history = one_job();
  history.row(1, "completed");
  history.row(2, "available", 0);
  EXPECT_EQ(history.broken(), "nowhere");
}

TEST(Checker, WhatWasRefusedIsNotThere) {
  for (const bool well : {true, false}) {
    HistoryBuilder history = one_job();
    history.row(1, "completed");
    history.enqueue(2);
    history.event(EventKind::refused).tag = "2";
    if (!well) history.row(2, "available", 0);
    EXPECT_EQ(history.broken(), well ? "" : "nowhere");
  }
}

TEST(Checker, NobodyEndsAJobButItsWorkers) {
  HistoryBuilder history;
  history.taken(1);
  history.deliver(1, token_of(1, 1), "w");
  history.row(1, "completed");
  EXPECT_EQ(history.broken(), "nowhere");
}

TEST(Checker, AllJobsEndOnceFaultsAreOver) {
  for (const bool well : {true, false}) {
    HistoryBuilder history = one_job();
    history.event(EventKind::faults_over);
    history.row(1, "completed");
    history.taken(2);
    history.deliver(2, token_of(1, 2), "w");
    history.settle(2, token_of(1, 2), "w");
    history.row(2, well ? "completed" : "running", 1);
    EXPECT_EQ(history.broken(), well ? "" : "end");
  }
}

TEST(Checker, NoRunBeforeItsTime) {
  for (const std::int64_t wall_ms : {1'000, 999}) {
    HistoryBuilder history;
    history.enqueue(1).run_at_ms = 1'000;
    history.enqueued(1);
    history.deliver(1, token_of(1, 1), "w").wall_ms = wall_ms;
    history.row(1, "running", 0);
    EXPECT_EQ(history.broken(), wall_ms == 1'000 ? "" : "early");
  }
}

TEST(Checker, ATimeThatWasReachedOnceStaysReached) {
  HistoryBuilder history;
  history.enqueue(1).run_at_ms = 1'000;
  history.enqueued(1);
  history.event(EventKind::clock).wall_ms = 1'200;
  history.deliver(1, token_of(1, 1), "w").wall_ms = 200;
  history.row(1, "running", 0);
  EXPECT_EQ(history.broken(), "");
}

TEST(Checker, NoRunAfterItsAcknowledgedCancel) {
  for (const bool well : {true, false}) {
    HistoryBuilder history;
    history.taken(1);
    if (well) history.issue(1, token_of(1, 1), "w");
    history.of(EventKind::cancel, 1);
    history.of(EventKind::cancelled, 1);
    if (!well) history.issue(1, token_of(1, 1), "w");
    history.row(1, "cancelled", 0);
    EXPECT_EQ(history.broken(), well ? "" : "cancel");
  }
}

TEST(Checker, NothingIsSettledAfterItsCancel) {
  HistoryBuilder history;
  history.taken(1);
  history.deliver(1, token_of(1, 1), "w");
  history.of(EventKind::cancel, 1);
  history.of(EventKind::cancelled, 1);
  history.settle(1, token_of(1, 1), "w", "retry");
  history.settled(1, token_of(1, 1), "retry");
  history.row(1, "cancelled", 1);
  EXPECT_EQ(history.broken(), "cancel");
}

TEST(Checker, TheIntegrityCheckIsClean) {
  HistoryBuilder history = one_job();
  history.event(EventKind::end).word = "row 3 missing from index";
  EXPECT_EQ(history.broken(), "integrity");
}

TEST(Checker, AHistoryHasAnEnd) {
  EXPECT_EQ(check_history(one_job().history()).back().rule, "integrity");
}

// Two jobs, the first of which was done before the second was sent.
HistoryBuilder before_a_backup() {
  HistoryBuilder history = one_job();
  history.taken(2);
  return history;
}

TEST(Checker, ARestoredBackupIsOneMoment) {
  HistoryBuilder history = before_a_backup();
  history.row(1, "completed");
  history.row(2, "available", 0);
  EXPECT_EQ(history.broken_as_restored(), "");
}

TEST(Checker, ARestoredBackupMayBeEarly) {
  HistoryBuilder history = before_a_backup();
  history.row(1, "available", 0);
  EXPECT_EQ(history.broken_as_restored(), "");
}

TEST(Checker, ARestoredBackupIsNotOfTwoMoments) {
  HistoryBuilder history = before_a_backup();
  history.row(1, "available", 0);
  history.row(2, "available", 0);
  EXPECT_EQ(history.broken_as_restored(), "prefix");
}

TEST(Checker, ARestoredBackupHasWhatCameBeforeIt) {
  HistoryBuilder history = before_a_backup();
  history.event(EventKind::backup);
  history.row(1, "completed");
  EXPECT_EQ(history.broken_as_restored(), "prefix");
}

TEST(Checker, EveryEventIsReadAsItWasWritten) {
  HistoryBuilder history = before_a_backup();
  HistoryEvent& sent = history.enqueue(3);
  sent.key = "k";
  sent.run_at_ms = 5;
  sent.attempts_max = 3;
  sent.priority = 2;
  HistoryEvent& counts = history.event(EventKind::counts);
  counts.topic = "t";
  counts.counts = {{"enqueued", 3}};
  history.event(EventKind::clock).wall_ms = 9;
  history.answered(1, "running");
  history.row(1, "dead", 2, "exhausted").deaths = 1;
  History read;
  for (const auto& event : history.history()) EXPECT_EQ(read_event(write_event(event), read), "");
  ASSERT_EQ(read.size(), history.history().size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(write_event(read[i]), write_event(history.history()[i]));
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
