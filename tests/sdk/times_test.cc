// The largest times that the fields can hold, from a caller and from a broker: each becomes the
// longest time that a clock can count, and none has already passed.
#include "broker_process.h"
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <limits>
#include <thread>

namespace millrace::testing {
namespace {

constexpr auto for_ever = std::chrono::milliseconds::max();
constexpr auto century = std::chrono::hours(24 * 36'500);
constexpr auto number_max = std::numeric_limits<std::uint64_t>::max();

// A test that hangs is ended from outside: the broker first, so that no process is left behind.
void bounded(BrokerProcess& broker, const std::function<void()>& what) {
  const auto ended = std::async(std::launch::async, what);
  if (ended.wait_for(std::chrono::seconds(60)) == std::future_status::ready) return;
  broker.kill();
  std::fputs("no end within a minute\n", stderr);
  std::_Exit(1);
}

void ask_with_endless_patience(const ConnectionOptions& at) {
  Producer producer({.connection = at, .deadline = for_ever});
  Client client({.connection = at, .timeout = for_ever});
  const auto told = producer.enqueue({.topic = "work", .payload = "first"});
  ASSERT_EQ(told.outcome, Outcome::stored) << told.error.message;
  std::atomic<bool> stored = false;
  producer.enqueue_async({.topic = "work", .payload = "second"}, [&stored](const Enqueued& answer) {
    stored = answer.outcome == Outcome::stored;
  });
  EXPECT_TRUE(producer.flush(for_ever));
  EXPECT_TRUE(stored);

  Worker worker({.connection = at, .drain = for_ever});
  worker.handle("work", [](JobContext&) { return discard("to be seen when it has ended"); });
  worker.start();
  const auto view = client.wait(told.id, for_ever);
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_EQ(view->state, State::dead);
  EXPECT_TRUE(worker.stop());
}

TEST(Times, ACallersLongestPatienceIsNotNone) {
  BrokerProcess broker;
  bounded(broker, [&] {
    ask_with_endless_patience({.brokers = {broker.endpoint()}, .reply_patience = for_ever});
  });
  EXPECT_EQ(broker.stop(), 0);
}

// Each job that is enqueued causes a turn of the link, which checks how long the first has waited.
TEST(Times, AnEndlessPatienceForRepliesOutlastsEveryTurn) {
  ScriptedBroker broker;
  Producer producer({.connection = {.brokers = {broker.endpoint}, .reply_patience = for_ever},
                     .flush_at_destruction = std::chrono::milliseconds(0)});
  producer.enqueue_async({.topic = "t"}, nullptr);
  broker.welcome();
  for (int sent = 0; sent < 3; ++sent) {
    (void)broker.expect(wire::Verb::enqueue);  // never a new HELLO
    if (HasFailure()) return;
    producer.enqueue_async({.topic = "t"}, nullptr);
  }
}

TEST(Times, ABrokersLongestAreToldAsTheLongest) {
  ScriptedBroker broker;
  std::atomic<bool> enqueued_late = false, limit_long = false, stopped = false;
  Worker worker({.connection = {.brokers = {broker.endpoint}}, .concurrency = 1});
  worker.handle("t", [&](JobContext& job) {
    enqueued_late = job.enqueued_at() > std::chrono::system_clock::now() + century;
    limit_long = job.run_time_limit() > century;
    stopped = job.stop().stop_requested();
    return done();
  });
  worker.start();
  (void)broker.expect(wire::Verb::hello);
  broker.answer(
      wire::HelloOk{.broker = "test", .lease_ms = number_max, .heartbeat_ms = number_max});
  (void)broker.expect(wire::Verb::topology);
  broker.answer(wire::TopologyOk{.shards = {{broker.endpoint}}, .default_partitions = {0}});
  (void)broker.expect(wire::Verb::subscribe);
  broker.answer(wire::Empty{});
  wire::Deliver message{.topic = "t"};
  message.jobs.push_back({.seq = 1,
                          .token = 1,
                          .attempt = 1,
                          .attempts_max = 25,
                          .enqueued_ms = number_max,
                          .run_ms_max = number_max});
  broker.tell(wire::Verb::deliver, message);
  (void)broker.expect(wire::Verb::settle);
  broker.answer(wire::SettleOk{});
  EXPECT_TRUE(enqueued_late);
  EXPECT_TRUE(limit_long);
  EXPECT_FALSE(stopped);

  std::thread stopping([&worker] { EXPECT_TRUE(worker.stop()); });
  (void)broker.expect(wire::Verb::drain);
  broker.answer(wire::Empty{});
  (void)broker.expect(wire::Verb::goodbye);
  broker.answer(wire::Empty{});
  stopping.join();
}

}  // namespace
}  // namespace millrace::testing
