// The small tables of the core: transitions, backoff, the stored state of producers.
#include "core/producer_table.h"
#include "core/retry_policy.h"
#include "core/transitions.h"

#include <gtest/gtest.h>

namespace millrace::core {
namespace {

TEST(Transitions, OnlyADeadJobLeavesAFinalState) {
  for (const State state : {State::completed, State::cancelled, State::dead}) {
    for (int t = 0; t < triggers; ++t) {
      const auto trigger = static_cast<Trigger>(t);
      const bool allowed = state == State::dead && trigger == Trigger::requeue;
      EXPECT_EQ(look_up(state, trigger).impossible == nullptr, allowed);
    }
  }
}

TEST(Transitions, OnlyAnAvailableJobIsDelivered) {
  for (int s = 0; s < states; ++s) {
    const auto state = static_cast<State>(s);
    EXPECT_EQ(look_up(state, Trigger::deliver).impossible == nullptr, state == State::available);
  }
}

TEST(Backoff, FollowsTheFormulaWithinItsJitterAndItsCap) {
  Random random(1);
  TopicSettings settings;
  for (const auto& [attempt, seconds] : {std::pair{1U, 16}, {2U, 31}, {5U, 640}}) {
    const std::int64_t wait = backoff_ms(settings, attempt, random);
    EXPECT_GE(wait, seconds * 900);
    EXPECT_LE(wait, seconds * 1'100);
  }
  EXPECT_LE(backoff_ms(settings, 1'000, random), backoff_ms_cap * 11 / 10);
  settings.backoff_ms_min = 100;
  EXPECT_LE(backoff_ms(settings, 3, random), 440);
  EXPECT_GE(backoff_ms(settings, 3, random), 360);
}

BatchAnswer answer(std::uint64_t batch) { return {batch, {1, 0}, batch * 10, 1}; }

TEST(ProducerTable, RemembersTheLastAnswersAndNotMore) {
  ProducerTable table({});
  const ProducerId id{};
  for (std::uint64_t b = 1; b <= answers_max + 1; ++b) table.remember({id, 1, b}, answer(b), 0);
  EXPECT_EQ(table.judge({id, 1, 1}).verdict, ProducerTable::Verdict::too_old);
  const auto second = table.judge({id, 1, 2});
  EXPECT_EQ(second.verdict, ProducerTable::Verdict::known);
  EXPECT_EQ(second.answer.first_seq, 20U);
  EXPECT_EQ(table.judge({id, 1, answers_max + 2}).verdict, ProducerTable::Verdict::fresh);
}

// What a producer has the answer of it does not send again: a copy that comes late is not stored,
// and its answer need not be kept.
TEST(ProducerTable, ForgetsTheAnswersThatAProducerHasButNotThatTheyWereGiven) {
  ProducerTable table({});
  const ProducerId id{};
  table.remember({id, 1, 1}, answer(1), 0);
  table.remember({id, 1, 3}, answer(3), 0);
  table.remember({id, 1, 4, 1}, answer(4), 0);
  EXPECT_EQ(table.judge({id, 1, 1}).verdict, ProducerTable::Verdict::too_old);
  EXPECT_EQ(table.judge({id, 1, 2}).verdict, ProducerTable::Verdict::fresh);
  EXPECT_EQ(table.judge({id, 1, 3}).verdict, ProducerTable::Verdict::known);
  table.remember({id, 1, 2, 0}, answer(2), 0);  // sent before the fourth, and later here
  ChangeSet changes;
  table.flush(changes);
  ASSERT_EQ(changes.producers_put.size(), 1U);
  EXPECT_EQ(changes.producers_put[0].answered, 1U);
  EXPECT_EQ(changes.producers_put[0].answers.size(), 3U);

  // And so after a restart.
  ProducerTable again(std::move(changes.producers_put));
  EXPECT_EQ(again.judge({id, 1, 1}).verdict, ProducerTable::Verdict::too_old);
  again.remember({id, 1, 5, 4}, answer(5), 0);
  EXPECT_EQ(again.judge({id, 1, 4}).verdict, ProducerTable::Verdict::too_old);
  again.remember({id, 2, 1}, answer(1), 0);
  EXPECT_EQ(again.judge({id, 2, 2}).verdict, ProducerTable::Verdict::fresh);
}

TEST(ProducerTable, ANewerEpochShutsOutTheOlder) {
  ProducerTable table({});
  const ProducerId id{};
  table.remember({id, 2, 1}, answer(1), 0);
  EXPECT_EQ(table.judge({id, 1, 2}).verdict, ProducerTable::Verdict::stale);
  EXPECT_EQ(table.judge({id, 3, 1}).verdict, ProducerTable::Verdict::fresh);
}

}  // namespace
}  // namespace millrace::core
