// Requests that change something, sent again: executed once, answered as the first time.
#include "core/request_table.h"
#include "engine_test_kit.h"

#include <gtest/gtest.h>
#include <string>

namespace millrace::core::test {
namespace {

constexpr ChangeId id_of(std::uint8_t number) { return {number}; }

// So many dead jobs of a topic.
EngineHarness with_dead(int count) {
  EngineHarness shard;
  NewJob job = job_with("p");
  job.attempts_max = 1;
  shard.enqueue(count, job);
  const auto worker = shard.worker(1, 100);
  for (const Delivered& given : shard.take_deliveries()) {
    shard.settle(worker, given.token, OutcomeKind::discard);
  }
  shard.turn(SessionClose{1, worker});
  return shard;
}

TEST(Requests, APurgeThatIsSentAgainDoesNotPurgeTheNextOnes) {
  for (const bool restart : {false, true}) {
    EngineHarness shard = with_dead(5);
    for (int copy = 0; copy < 3; ++copy) {
      shard.turn(DeadCommand{1, true, "t", {}, 2, id_of(7)});
      EXPECT_EQ(shard.last<Counted>().count, 2U);
      EXPECT_TRUE(shard.last<Counted>().more);
      EXPECT_EQ(shard.store.finished.size(), 3U);
      if (restart) shard.crash();
    }
    shard.turn(DeadCommand{1, true, "t", {}, 2, id_of(8)});
    EXPECT_EQ(shard.store.finished.size(), 1U);
  }
}

TEST(Requests, ARequeueThatIsSentAgainDoesNotRequeueTheNextOnes) {
  EngineHarness shard = with_dead(5);
  for (int copy = 0; copy < 2; ++copy) {
    shard.turn(DeadCommand{1, false, "t", {}, 3, id_of(7)});
    EXPECT_EQ(shard.last<Counted>().count, 3U);
    EXPECT_EQ(shard.store.jobs.size(), 3U);
  }
}

TEST(Requests, WhatWasNotCommittedIsDoneByTheCopy) {
  EngineHarness shard = with_dead(3);
  shard.turn(DeadCommand{1, true, "t", {}, 2, id_of(7)}, false);
  shard.crash();
  shard.turn(DeadCommand{1, true, "t", {}, 2, id_of(7)});
  EXPECT_EQ(shard.last<Counted>().count, 2U);
  EXPECT_EQ(shard.store.finished.size(), 1U);
}

TEST(Requests, ACancelThatIsSentAgainIsNoConflict) {
  for (const bool runs : {false, true}) {
    EngineHarness shard;
    const auto ref = shard.enqueue(1).at(0);
    if (runs) (void)shard.worker(1, 1);
    for (int copy = 0; copy < 2; ++copy) {
      shard.turn(Cancel{1, "t", ref.partition, ref.seq, id_of(7)});
      (void)shard.last<Cancelled>();
      shard.crash();
    }
    shard.turn(Cancel{1, "t", ref.partition, ref.seq, id_of(8)});
    (void)shard.last<Refused>();
  }
}

// Both copies arrive before storage has answered the first.
TEST(Requests, ACopyThatComesWhileTheFirstIsUnderWayGetsItsAnswer) {
  EngineHarness shard = with_dead(4);
  Effects out;
  shard.engine->step(DeadCommand{11, true, "t", {}, 2, id_of(7)}, shard.now, out);
  shard.engine->step(DeadCommand{12, true, "t", {}, 2, id_of(7)}, shard.now, out);
  shard.engine->step(DeadCommand{13, false, "t", {}, 2, id_of(7)}, shard.now, out);
  ASSERT_EQ(out.loads.size(), 1U);
  ASSERT_EQ(out.replies.size(), 1U);
  EXPECT_EQ(out.replies[0].request, 13U);
  EXPECT_EQ(std::get<Refused>(out.replies[0].body).why, Refusal::invalid);
  shard.engine->step(shard.store.load(out.loads[0]), shard.now, out);
  ASSERT_EQ(out.replies.size(), 3U);
  for (const std::size_t at : {1U, 2U}) {
    EXPECT_EQ(std::get<Counted>(out.replies[at].body).count, 2U);
  }
  EXPECT_EQ(out.changes.finished_dropped.size(), 2U);
  EXPECT_EQ(out.changes.requests_put.size(), 1U);
}

TEST(Requests, FlagsAreThoseOfTheFirstTime) {
  EngineHarness shard;
  for (int copy = 0; copy < 2; ++copy) {
    shard.turn(OpenTopic{1, "made", {}, false, id_of(1)});
    EXPECT_TRUE(shard.last<Changed>().value);
    shard.turn(PauseTopic{1, "made", true, id_of(2)});
    EXPECT_TRUE(shard.last<Changed>().value);
  }
  shard.turn(PauseTopic{1, "made", false, id_of(3)});
  // A late copy: the topic was resumed since.
  shard.turn(PauseTopic{1, "made", true, id_of(2)});
  EXPECT_TRUE(shard.last<Changed>().value);
  EXPECT_FALSE(shard.engine->topic("made")->paused);
}

TEST(Requests, WithoutAnIdEachIsDone) {
  EngineHarness shard = with_dead(5);
  for (const std::size_t left : {3U, 1U}) {
    shard.turn(DeadCommand{1, true, "t", {}, 2});
    EXPECT_EQ(shard.store.finished.size(), left);
  }
  EXPECT_TRUE(shard.store.requests.empty());
}

TEST(Requests, ARefusalIsNotKept) {
  EngineHarness shard;
  shard.turn(PauseTopic{1, "later", true, id_of(1)});
  EXPECT_EQ(shard.last<Refused>().why, Refusal::unknown_topic);
  shard.turn(OpenTopic{1, "later", {}, false});
  shard.turn(PauseTopic{1, "later", true, id_of(1)});
  EXPECT_TRUE(shard.last<Changed>().value);
}

TEST(Requests, OneIdIsOfOneKindOfRequest) {
  EngineHarness shard;
  shard.enqueue(1);
  shard.turn(PauseTopic{1, "t", true, id_of(1)});
  shard.turn(PauseTopic{1, "t", false, id_of(1)});
  EXPECT_EQ(shard.last<Refused>().why, Refusal::invalid);
  EXPECT_TRUE(shard.engine->topic("t")->paused);
}

TEST(Requests, TheyAreForgottenAfterAWhile) {
  EngineHarness shard;
  shard.enqueue(1);
  shard.turn(PauseTopic{1, "t", true, id_of(1)});
  shard.pass(request_kept_ms - 1);
  shard.idle();
  EXPECT_EQ(shard.store.requests.size(), 1U);
  shard.pass(1);
  shard.idle();
  EXPECT_TRUE(shard.store.requests.empty());
}

// A clock that was set years ahead, or back, over a restart: a copy may still come.
TEST(Requests, ARestartCountsTheirAgeAnewWhateverTheClockSays) {
  for (const std::int64_t set_by_ms : {-10 * request_kept_ms, 0L, 10 * request_kept_ms}) {
    EngineHarness shard;
    shard.enqueue(1);
    shard.turn(PauseTopic{1, "t", true, id_of(1)});
    shard.now.wall_ms += set_by_ms;
    shard.crash();
    shard.pass(request_kept_ms - 1);
    shard.idle();
    EXPECT_EQ(shard.store.requests.size(), 1U);
    shard.turn(PauseTopic{1, "t", true, id_of(1)});
    EXPECT_TRUE(shard.last<Changed>().value);
    shard.pass(1);
    shard.idle();
    EXPECT_TRUE(shard.store.requests.empty());
  }
}

// Where there are more than may be remembered, what may still be sent again is not forgotten.
TEST(Requests, TheirNumberIsBounded) {
  RequestTable table({}, 0);
  ChangeSet changes;
  Now now;
  const auto make = [&](std::uint32_t number) {
    ChangeId id{};
    id[0] = 1;
    for (unsigned byte = 0; byte < 4; ++byte) {
      id[1 + byte] = static_cast<std::uint8_t>(number >> (8 * byte));
    }
    const auto verdict = table.judge(id, RequestKind::cancel, number + 1, now, changes).verdict;
    if (verdict == RequestTable::Verdict::fresh) {
      (void)table.ended({number + 1, Cancelled{}}, now, changes);
    }
    return verdict;
  };
  for (std::uint32_t i = 0; i < requests_max; ++i) {
    ASSERT_EQ(make(i), RequestTable::Verdict::fresh);
  }
  EXPECT_EQ(make(requests_max), RequestTable::Verdict::full);
  EXPECT_EQ(make(0), RequestTable::Verdict::known);
  now.mono_ms += request_kept_ms_min;
  EXPECT_EQ(make(requests_max), RequestTable::Verdict::fresh);
  EXPECT_EQ(changes.requests_dropped.size(), 1U);
  EXPECT_EQ(make(1), RequestTable::Verdict::known);
}

}  // namespace
}  // namespace millrace::core::test
