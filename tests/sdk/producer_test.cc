// A producer's outcomes, bounds and threads with a scripted broker.
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/producer.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

class ProducerTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<Producer> producer(ProducerOptions options = {}) const {
    options.connection.brokers = {broker.endpoint};
    options.flush_at_destruction = 0ms;
    return std::make_unique<Producer>(std::move(options));
  }
  void store() { broker.answer(wire::EnqueueOk{.first_seq = 1, .count = 1}); }

  ScriptedBroker broker;
};

TEST_F(ProducerTest, AtTheBoundOfJobsOneMoreIsNotTakenAndNotTold) {
  const auto own = producer({.in_flight_jobs_max = 2});
  EXPECT_FALSE(own->connected());
  std::atomic<int> told = 0;
  const auto count = [&told](const Enqueued&) { ++told; };
  own->enqueue_async({.topic = "t"}, count);
  EXPECT_TRUE(own->try_enqueue_async({.topic = "t"}, count));
  EXPECT_FALSE(own->try_enqueue_async({.topic = "t"}, count));
  EXPECT_FALSE(own->flush(1ms));
  std::thread waits([&] { own->enqueue_async({.topic = "t"}, count); });  // for room
  broker.welcome();
  (void)broker.expect(wire::Verb::enqueue);
  broker.answer(wire::EnqueueOk{.first_seq = 1, .count = 2});
  (void)broker.expect(wire::Verb::enqueue);
  store();
  waits.join();
  EXPECT_TRUE(own->flush(60s));
  EXPECT_TRUE(own->connected());
  EXPECT_EQ(told, 3);
}

TEST_F(ProducerTest, TheBoundOfBytesLetsOneLargeJobPassAlone) {
  const auto own = producer({.in_flight_bytes_max = 1'000});
  EXPECT_TRUE(own->try_enqueue_async({.topic = "t", .payload = std::string(5'000, 'x')}, nullptr));
  EXPECT_FALSE(own->try_enqueue_async({.topic = "t"}, nullptr));
  const auto other = producer({.in_flight_bytes_max = 1'000});
  EXPECT_TRUE(other->try_enqueue_async({.topic = "t", .payload = std::string(500, 'x')}, nullptr));
  EXPECT_FALSE(
      other->try_enqueue_async({.topic = "t", .headers = {{"h", std::string(400, 'x')}}}, nullptr));
  EXPECT_TRUE(
      other->try_enqueue_async({.topic = "t", .headers = {{"h", std::string(300, 'x')}}}, nullptr));
}

TEST_F(ProducerTest, OfManyJobsEachOutcomeStandsInItsPlace) {
  const auto told = producer()->enqueue_all({{.topic = "no topic!"},
                                             {.topic = "t", .payload = std::string(2U << 20, 'x')},
                                             {.topic = "t", .priority = 10}});
  ASSERT_EQ(told.size(), 3U);
  EXPECT_NE(told[0].error.message.find("topic"), std::string::npos);
  EXPECT_EQ(told[1].error.code, ErrorCode::too_large);
  EXPECT_NE(told[2].error.message.find("priority"), std::string::npos);
}

TEST_F(ProducerTest, AtItsDeadlineAJobThatWasNeverSentIsRejected) {
  const auto own = producer({.deadline = 1ms});
  const Enqueued told = own->enqueue({.topic = "t"});
  EXPECT_EQ(told.outcome, Outcome::rejected);
  EXPECT_EQ(told.error.code, ErrorCode::unavailable);
  EXPECT_NE(told.error.message.find("no broker could be reached at " + broker.endpoint),
            std::string::npos);
}

TEST_F(ProducerTest, AtItsDeadlineAJobThatWasSentIsUnknown) {
  const auto own = producer({.deadline = 2s});
  std::promise<Enqueued> told;
  own->enqueue_async({.topic = "t"}, [&told](const Enqueued& outcome) { told.set_value(outcome); });
  broker.welcome();
  (void)broker.expect(wire::Verb::enqueue);
  const Enqueued outcome = told.get_future().get();
  EXPECT_EQ(outcome.outcome, Outcome::unknown);
  EXPECT_EQ(outcome.error.code, ErrorCode::outcome_unknown);
}

// Nothing was stored, says the broker: so it is when the time is up before it is sent again.
TEST_F(ProducerTest, AJobThatWasOnlyEverRefusedForTheTimeBeingIsRejected) {
  auto own = producer();
  std::vector<Enqueued> told;
  own->enqueue_async({.topic = "t"}, [&told](const Enqueued& o) { told.push_back(o); });
  broker.welcome();
  (void)broker.expect(wire::Verb::enqueue);
  broker.refuse("overloaded", 50);
  const std::string again = broker.expect(wire::Verb::enqueue);  // by itself, a little later
  EXPECT_EQ(wire::decode<wire::Enqueue>(again)->batch, 1U);
  broker.refuse("shutting_down", 60'000);
  std::promise<void> refusal_taken;  // what comes after it has been looked at too
  own->enqueue_async({.topic = "u"}, [&](const Enqueued&) { refusal_taken.set_value(); });
  (void)broker.expect(wire::Verb::topology);
  broker.answer(wire::TopologyOk{.shards = {{broker.endpoint}}, .default_partitions = {0}});
  (void)broker.expect(wire::Verb::enqueue);
  store();
  refusal_taken.get_future().get();
  own.reset();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told.front().outcome, Outcome::rejected);
  EXPECT_EQ(told.front().error.code, ErrorCode::shutting_down);
}

TEST_F(ProducerTest, CallbacksRunWhereTheHeaderSays) {
  const auto here = std::this_thread::get_id();
  std::thread::id in_call, in_background, in_destructor;
  auto own = producer();
  own->enqueue_async({.topic = "no topic!"},
                     [&](const Enqueued&) { in_call = std::this_thread::get_id(); });
  EXPECT_EQ(in_call, here);
  std::promise<void> answered;
  own->enqueue_async({.topic = "t"}, [&](const Enqueued& told) {
    in_background = std::this_thread::get_id();
    EXPECT_EQ(told.outcome, Outcome::rejected);  // by the broker: not in the call
    answered.set_value();
  });
  broker.welcome();
  (void)broker.expect(wire::Verb::enqueue);
  broker.refuse("unknown_topic");
  answered.get_future().get();
  EXPECT_NE(in_background, here);
  own->enqueue_async({.topic = "t"},
                     [&](const Enqueued&) { in_destructor = std::this_thread::get_id(); });
  own.reset();
  EXPECT_EQ(in_destructor, here);
}

}  // namespace
}  // namespace millrace::testing
