// The rule told: histories of somebody who asks about jobs that pass, and some that fail.
#include "told.h"

#include <gtest/gtest.h>

namespace millrace::testing {
namespace {

TEST(Checker, AnAnswerIsOfItsMoment) {
  Told told;
  told.taken(1);
  told.answered(1, "available");
  told.issue(1, token_of(1, 1), "w");
  told.answered(1, "running");
  told.settle(1, token_of(1, 1), "w");
  told.answered(1, "completed");  // it may be before the worker hears
  told.settled(1, token_of(1, 1));
  told.answered(1, "not_found");  // no history
  EXPECT_EQ(told.broken(), "");
}

TEST(Checker, AnAnswerOnItsWayMayBeOld) {
  Told told;
  told.taken(1);
  told.issue(1, token_of(1, 1), "w");
  told.of(EventKind::asked, 1).by = "a";
  told.done(1, token_of(1, 1), "w");
  told.of(EventKind::told, 1, "running").by = "a";
  EXPECT_EQ(told.broken(), "");
}

TEST(Checker, NobodyIsToldOfAStateThatIsOver) {
  Told told = one_job();
  told.answered(1, "running");
  EXPECT_EQ(told.broken(), "told");
  Told cancelled;
  cancelled.taken(1);
  cancelled.of(EventKind::cancel, 1);
  cancelled.of(EventKind::cancelled, 1);
  cancelled.answered(1, "scheduled");
  EXPECT_EQ(cancelled.broken(), "told");
}

TEST(Checker, NobodyIsToldOfAnEndThatIsNot) {
  Told early;
  early.taken(1);
  early.deliver(1, token_of(1, 1), "w");
  early.answered(1, "completed");
  early.done(1, token_of(1, 1), "w");
  EXPECT_EQ(early.broken(), "told");
  Told undone;
  undone.taken(1);
  undone.issue(1, token_of(1, 1), "w");
  undone.settle(1, token_of(1, 1), "w");
  undone.answered(1, "completed");
  undone.issue(1, token_of(1, 2), "w", 2);
  undone.done(1, token_of(1, 2), "w");
  EXPECT_EQ(undone.broken(), "told");
  Told other;
  other.taken(1);
  other.of(EventKind::cancel, 1);
  other.answered(1, "cancelled");
  other.deliver(1, token_of(1, 1), "w");
  other.settle(1, token_of(1, 1), "w");
  other.row(1, "completed");
  EXPECT_EQ(other.broken(), "told");
}

TEST(Checker, NobodyIsToldThatAnAcknowledgedJobIsNotThere) {
  Told waiting;
  waiting.taken(1);
  waiting.answered(1, "not_found");
  waiting.deliver(1, token_of(1, 1), "w");
  waiting.done(1, token_of(1, 1), "w");
  EXPECT_EQ(waiting.broken(), "told");
  Told kept = one_job();
  kept.answered(1, "not_found");
  kept.row(1, "completed");
  EXPECT_EQ(kept.broken(), "told");
}

TEST(Checker, AnAnswerHasItsQuestion) {
  Told told = one_job();
  told.of(EventKind::told, 1, "completed").by = "a";
  EXPECT_EQ(told.broken(), "told");
}

}  // namespace
}  // namespace millrace::testing
