// Callbacks as applications write them: they throw, wait, enqueue more jobs; and the outcomes of
// jobs whose Producer is destroyed.
#include "broker_process.h"
#include "event_log.h"
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

// The messages of the log, and a connection that writes them.
struct Told {
  [[nodiscard]] ConnectionOptions at(const std::string& endpoint) {
    return {.brokers = {endpoint}, .log = [this](LogLevel /*level*/, std::string_view what) {
              const std::lock_guard lock(mutex);
              all.append(what).append("\n");
            }};
  }
  [[nodiscard]] bool has(std::string_view words) {
    const std::lock_guard lock(mutex);
    return all.find(words) != std::string::npos;
  }
  std::mutex mutex;
  std::string all;
};

TEST(Destruction, StoresWhatWasHandedOver) {
  BrokerProcess broker;
  std::atomic<int> stored = 0;
  {
    Producer producer(
        {.connection = {.brokers = {broker.endpoint()}}, .flush_at_destruction = 60s});
    for (int i = 0; i < 1'000; ++i) {
      producer.enqueue_async({.topic = "t", .payload = "x"}, [&stored](const Enqueued& told) {
        stored += told.outcome == Outcome::stored;
      });
    }
  }
  EXPECT_EQ(stored, 1'000);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Destruction, TellsWhatIsLeftTruthfully) {
  ScriptedBroker broker;
  std::vector<Outcome> told;
  const auto note = [&told](const Enqueued& outcome) { told.push_back(outcome.outcome); };
  auto producer = std::make_unique<Producer>(
      ProducerOptions{.connection = {.brokers = {broker.endpoint}}, .flush_at_destruction = 10ms});
  producer->enqueue_async({.topic = "t"}, note);
  broker.welcome();
  (void)broker.expect(wire::Verb::enqueue);  // and no answer
  producer.reset();
  EXPECT_EQ(told, std::vector<Outcome>{Outcome::unknown});
  producer = std::make_unique<Producer>(
      ProducerOptions{.connection = {.brokers = {broker.endpoint}}, .flush_at_destruction = 10ms});
  producer->enqueue_async({.topic = "t"}, note);  // not even HELLO is answered
  producer.reset();
  EXPECT_EQ(told.back(), Outcome::rejected);
}

TEST(Destruction, RefusesWhatItsLastCallbacksHandOver) {
  ScriptedBroker broker;
  std::vector<ErrorCode> told;
  bool flushed = true;
  auto producer = std::make_unique<Producer>(
      ProducerOptions{.connection = {.brokers = {broker.endpoint}}, .flush_at_destruction = 0ms});
  Producer* const own = producer.get();
  own->enqueue_async({.topic = "t"}, [&, own](const Enqueued& outcome) {
    told.push_back(outcome.error.code);
    own->enqueue_async({.topic = "t"}, [&](const Enqueued& o) { told.push_back(o.error.code); });
    flushed = own->flush(patience);
  });
  producer.reset();
  EXPECT_EQ(told, (std::vector<ErrorCode>{ErrorCode::unavailable, ErrorCode::unavailable}));
  EXPECT_FALSE(flushed);
}

TEST(Callbacks, AnExceptionIsReportedWithItsJobAndTheOthersAreTold) {
  BrokerProcess broker;
  Told told;
  Producer producer({.connection = told.at(broker.endpoint()), .in_flight_jobs_max = 4});
  std::atomic<int> called = 0;
  for (int i = 0; i < 20; ++i) {
    producer.enqueue_async({.topic = "mail", .key = "k" + std::to_string(i)},
                           [&called, i](const Enqueued&) {
                             ++called;
                             if (i == 3) throw std::runtime_error("from the callback");
                             if (i == 5) throw 5;
                           });
  }
  producer.enqueue_async({.topic = "no topic!"},
                         [](const Enqueued&) { throw std::runtime_error("at once"); });
  EXPECT_TRUE(producer.flush(patience));
  EXPECT_EQ(called, 20);
  EXPECT_TRUE(told.has("the callback of a job of topic 'mail' with key 'k3', stored as mail/"))
      << told.all;
  EXPECT_TRUE(told.has("threw: from the callback"));
  EXPECT_TRUE(told.has("'k5', stored as"));
  EXPECT_TRUE(told.has("threw an exception that is not a std::exception"));
  EXPECT_TRUE(told.has("threw: at once"));
  EXPECT_EQ(producer.enqueue({.topic = "mail"}).outcome, Outcome::stored);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Callbacks, AHookThatThrowsHarmsNobodyAndNoCallbackIsNone) {
  BrokerProcess broker;
  Producer producer({.connection = {.brokers = {broker.endpoint()},
                                    .log = [](LogLevel, std::string_view) { throw 1; }}});
  producer.enqueue_async({.topic = "t"}, [](const Enqueued&) { throw 2; });
  producer.enqueue_async({.topic = "t"}, nullptr);
  EXPECT_TRUE(producer.flush(patience));
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Callbacks, CallsThatWouldWaitForThemselvesAreRefused) {
  BrokerProcess broker;
  Producer producer({.connection = {.brokers = {broker.endpoint()}}});
  std::promise<void> over;
  producer.enqueue_async({.topic = "t"}, [&](const Enqueued&) {
    const auto one = producer.enqueue({.topic = "t"});
    EXPECT_EQ(one.outcome, Outcome::rejected);
    EXPECT_EQ(one.error.code, ErrorCode::invalid);
    EXPECT_NE(one.error.message.find("enqueue_async()"), std::string::npos);
    const auto all = producer.enqueue_all({{.topic = "t"}, {.topic = "t"}});
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all.back().error.code, ErrorCode::invalid);
    EXPECT_FALSE(producer.flush(patience));
    over.set_value();
  });
  over.get_future().get();
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Callbacks, WhatTheyHandOverIsTakenUpToTwiceTheBounds) {
  BrokerProcess broker;
  constexpr int bound = 4;
  Producer producer({.connection = {.brokers = {broker.endpoint()}}, .in_flight_jobs_max = bound});
  EventLog said;
  std::promise<void> over;
  producer.enqueue_async({.topic = "t"}, [&](const Enqueued&) {
    for (int i = 0; i < 3 * bound; ++i) {
      producer.enqueue_async({.topic = "t"}, [&said](const Enqueued& told) {
        said.add(told.outcome == Outcome::stored ? "stored"
                                                 : std::string(to_string(told.error.code)));
      });
    }
    EXPECT_FALSE(producer.try_enqueue_async({.topic = "t"}, nullptr));
    over.set_value();
  });
  over.get_future().get();
  EXPECT_TRUE(producer.flush(patience));
  EXPECT_EQ(said.count("stored"), 2 * bound - 1);  // the first has not ended
  EXPECT_EQ(said.count("overloaded"), bound + 1);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Callbacks, AHandlerMayAskForTheStopOfItsWorker) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Worker worker({.connection = at, .concurrency = 2});
  std::atomic<bool> said = true;
  worker.handle("t", [&](JobContext&) {
    said = worker.stop();
    return done();
  });
  Producer producer({.connection = at});
  ASSERT_EQ(producer.enqueue({.topic = "t"}).outcome, Outcome::stored);
  EXPECT_TRUE(worker.run({}));
  EXPECT_FALSE(said);
  EXPECT_EQ(worker.counts().completed, 1U);
  EXPECT_EQ(broker.stop(), 0);
}

// The callback of a stop token runs on the loop's thread or the one that stops the worker, and may
// ask the worker.
TEST(Callbacks, AStopCallbackMayAskTheWorker) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Worker worker({.connection = at, .concurrency = 1, .drain = 1ms});
  std::promise<void> begun;
  std::atomic<std::uint64_t> running = 0;
  worker.handle("t", [&](JobContext& job) {
    std::promise<void> stopped;
    const std::stop_callback stopping(job.stop(), [&] {
      running = worker.counts().running;
      stopped.set_value();
    });
    begun.set_value();
    stopped.get_future().get();
    return release();
  });
  ASSERT_TRUE(worker.start());
  Producer producer({.connection = at});
  ASSERT_EQ(producer.enqueue({.topic = "t"}).outcome, Outcome::stored);
  begun.get_future().get();
  EXPECT_TRUE(worker.stop());
  EXPECT_EQ(running, 1U);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(CallbacksDeathTest, DestroyingTheirOwnObjectSaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto destroy_in_callback = [] {
    auto* const producer =
        new Producer({.connection = {.brokers = {"ipc:///nowhere"}}, .deadline = 1ms});
    producer->enqueue_async({.topic = "t"}, [producer](const Enqueued&) { delete producer; });
    (void)producer->flush(patience);
  };
  EXPECT_DEATH(destroy_in_callback(), "destroyed inside a callback of its own");
}

}  // namespace
}  // namespace millrace::testing
