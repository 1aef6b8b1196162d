// The rule "told": histories with queries for jobs that pass, and some that fail.
#include "history_builder.h"

#include <gtest/gtest.h>

namespace millrace::testing {
namespace {

TEST(Checker, AnAnswerIsOfItsMoment) {
  HistoryBuilder history;
  history.taken(1);
  history.answered(1, "available");
  history.issue(1, token_of(1, 1), "w");
  history.answered(1, "running");
  history.settle(1, token_of(1, 1), "w");
  history.answered(1, "completed");  // it may be before the worker hears
  history.settled(1, token_of(1, 1));
  history.answered(1, "not_found");  // no history
  EXPECT_EQ(history.broken(), "");
}

TEST(Checker, AnAnswerOnItsWayMayBeOld) {
  HistoryBuilder history;
  history.taken(1);
  history.issue(1, token_of(1, 1), "w");
  history.of(EventKind::asked, 1).by = "a";
  history.done(1, token_of(1, 1), "w");
  history.of(EventKind::told, 1, "running").by = "a";
  EXPECT_EQ(history.broken(), "");
}

TEST(Checker, NobodyIsToldOfAStateThatIsOver) {
  HistoryBuilder history = one_job();
  history.answered(1, "running");
  EXPECT_EQ(history.broken(), "told");
  HistoryBuilder cancelled;
  cancelled.taken(1);
  cancelled.of(EventKind::cancel, 1);
  cancelled.of(EventKind::cancelled, 1);
  cancelled.answered(1, "scheduled");
  EXPECT_EQ(cancelled.broken(), "told");
}

TEST(Checker, NobodyIsToldOfAnEndThatIsNot) {
  HistoryBuilder early;
  early.taken(1);
  early.deliver(1, token_of(1, 1), "w");
  early.answered(1, "completed");
  early.done(1, token_of(1, 1), "w");
  EXPECT_EQ(early.broken(), "told");
  HistoryBuilder undone;
  undone.taken(1);
  undone.issue(1, token_of(1, 1), "w");
  undone.settle(1, token_of(1, 1), "w");
  undone.answered(1, "completed");
  undone.issue(1, token_of(1, 2), "w", 2);
  undone.done(1, token_of(1, 2), "w");
  EXPECT_EQ(undone.broken(), "told");
  HistoryBuilder other;
  other.taken(1);
  other.of(EventKind::cancel, 1);
  other.answered(1, "cancelled");
  other.deliver(1, token_of(1, 1), "w");
  other.settle(1, token_of(1, 1), "w");
  other.row(1, "completed");
  EXPECT_EQ(other.broken(), "told");
}

TEST(Checker, NobodyIsToldThatAnAcknowledgedJobIsNotThere) {
  HistoryBuilder waiting;
  waiting.taken(1);
  waiting.answered(1, "not_found");
  waiting.deliver(1, token_of(1, 1), "w");
  waiting.done(1, token_of(1, 1), "w");
  EXPECT_EQ(waiting.broken(), "told");
  HistoryBuilder kept = one_job();
  kept.answered(1, "not_found");
  kept.row(1, "completed");
  EXPECT_EQ(kept.broken(), "told");
}

TEST(Checker, AnAnswerHasItsQuestion) {
  HistoryBuilder history = one_job();
  history.of(EventKind::told, 1, "completed").by = "a";
  EXPECT_EQ(history.broken(), "told");
}

}  // namespace
}  // namespace millrace::testing
