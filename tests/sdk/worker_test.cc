// A handler's view of its job, and the messages of a worker to a broker.
#include "broker_process.h"
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/typed.h>
#include <millrace/worker.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

class WorkerTest : public ::testing::Test {
 protected:
  void begin(Handler handler) {
    worker.handle("t", std::move(handler));
    ASSERT_TRUE(worker.start());
    broker.welcome_worker();
  }
  void end() {
    std::thread stopping([this] { EXPECT_TRUE(worker.stop()); });
    broker.farewell_worker();
    stopping.join();
  }
  void deliver(const wire::DeliveredJob& job) {
    wire::Deliver message{.topic = "t", .partition = 3};
    message.jobs.push_back(job);
    broker.tell(wire::Verb::deliver, message);
  }

  ScriptedBroker broker;
  Worker worker{
      {.connection = {.brokers = {broker.endpoint}, .log = [](auto, auto) {}}, .concurrency = 1}};
};

TEST_F(WorkerTest, AHandlerSeesAllOfItsJob) {
  begin([](JobContext& job) {
    EXPECT_EQ(job.id(), (JobId{"t", 3, 7}));
    EXPECT_EQ(job.payload(), "bytes");
    EXPECT_EQ(job.key(), "k");
    EXPECT_EQ(job.headers(),
              (std::map<std::string, std::string>{{"", "h"}}));  // of a client of 0.1
    EXPECT_EQ(job.attempt(), 2);
    EXPECT_EQ(job.max_attempts(), 25);
    EXPECT_EQ(job.enqueued_at(), std::chrono::system_clock::time_point(1'000ms));
    EXPECT_EQ(job.run_time_limit(), 60s);
    EXPECT_FALSE(job.stop().stop_requested());
    EXPECT_EQ(job.stop_reason(), StopReason::none);
    return done("result");
  });
  deliver({.seq = 7,
           .token = 70,
           .attempt = 2,
           .attempts_max = 25,
           .payload = "bytes",
           .key = "k",
           .headers = "h",
           .enqueued_ms = 1'000,
           .run_ms_max = 60'000});
  const std::string body = broker.expect(wire::Verb::settle);
  const auto settle = wire::decode<wire::Settle>(body);
  ASSERT_TRUE(settle && settle->outcomes.size() == 1);
  EXPECT_EQ(settle->outcomes.front().token, 70U);
  EXPECT_EQ(settle->outcomes.front().result, "result");
  broker.answer(wire::SettleOk{});
  end();
  EXPECT_EQ(worker.counts().delivered, 1U);
  EXPECT_EQ(worker.counts().completed, 1U);
}

TEST_F(WorkerTest, OfProgressTheLastIsSentWithinItsBounds) {
  std::promise<void> seen;
  begin([&seen](JobContext& job) {
    job.progress(-5, "first");
    job.progress(250, std::string(1'000, 'n'));
    seen.get_future().get();
    return done();
  });
  deliver({.seq = 7, .token = 70, .attempt = 1, .attempts_max = 25});
  const std::string body = broker.expect(wire::Verb::progress);
  const auto progress = wire::decode<wire::Progress>(body);
  ASSERT_TRUE(progress);
  if (progress->percent == 0U) {  // a turn came between the two
    const std::string last = broker.expect(wire::Verb::progress);
    EXPECT_EQ(wire::decode<wire::Progress>(last)->percent, 100U);
  } else {
    EXPECT_EQ(progress->percent, 100U);
    EXPECT_EQ(progress->note, std::string(256, 'n'));
  }
  seen.set_value();
  (void)broker.expect(wire::Verb::settle);
  broker.answer(wire::SettleOk{});
  end();
}

TEST_F(WorkerTest, ALostLeaseStopsTheHandlerOnTheBackgroundThreadAndIsCounted) {
  std::promise<void> begun;
  std::atomic<StopReason> reason = StopReason::none;
  std::atomic<bool> elsewhere = false;
  begin([&](JobContext& job) {
    const auto handler = std::this_thread::get_id();
    std::promise<void> stopped;
    const std::stop_callback stopping(job.stop(), [&] {
      elsewhere = std::this_thread::get_id() != handler;
      stopped.set_value();
    });
    begun.set_value();
    stopped.get_future().get();
    reason = job.stop_reason();
    return done("too late");
  });
  deliver({.seq = 7, .token = 70, .attempt = 1, .attempts_max = 25});
  begun.get_future().get();
  broker.tell(wire::Verb::revoke, wire::Revoke{.tokens = {70}, .reason = "lease_lost"});
  (void)broker.expect(wire::Verb::credit);  // the handler has ended; nothing is settled
  EXPECT_EQ(reason.load(), StopReason::lease_lost);
  EXPECT_TRUE(elsewhere);
  EXPECT_EQ(worker.counts().lost, 1U);
  end();
}

TEST_F(WorkerTest, JobsThatHaveNotStartedAreHandedBackWhenItStops) {
  std::promise<void> begun, go_on;
  begin([&](JobContext&) {
    begun.set_value();
    go_on.get_future().get();
    return done();
  });
  deliver({.seq = 1, .token = 1, .attempt = 1, .attempts_max = 25});
  begun.get_future().get();
  deliver({.seq = 2, .token = 2, .attempt = 1, .attempts_max = 25});
  std::thread stopping([this] { EXPECT_TRUE(worker.stop()); });
  (void)broker.expect(wire::Verb::drain);
  broker.answer(wire::Empty{});
  const std::string body = broker.expect(wire::Verb::settle);  // while the first still runs
  const auto settle = wire::decode<wire::Settle>(body);
  ASSERT_TRUE(settle && settle->outcomes.size() == 1);
  EXPECT_EQ(settle->outcomes.front().token, 2U);
  EXPECT_EQ(settle->outcomes.front().outcome, wire::OutcomeKind::release);
  EXPECT_EQ(settle->credit, 0U);
  broker.answer(wire::SettleOk{});
  go_on.set_value();
  (void)broker.expect(wire::Verb::settle);
  broker.answer(wire::SettleOk{});
  (void)broker.expect(wire::Verb::goodbye);
  broker.answer(wire::Empty{});
  stopping.join();
  EXPECT_EQ(worker.counts().released, 1U);
  EXPECT_EQ(worker.counts().completed, 1U);
}

TEST(WorkerDeathTest, DestroyingItInsideAHandlerSaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto destroy_in_handler = [] {
    ScriptedBroker broker;
    auto* const worker =
        new Worker({.connection = {.brokers = {broker.endpoint}}, .concurrency = 1});
    worker->handle("t", [worker](JobContext&) {
      delete worker;
      return done();
    });
    (void)worker->start();
    broker.welcome_worker();
    wire::Deliver message{.topic = "t"};
    message.jobs.push_back({.seq = 1, .token = 1, .attempt = 1, .attempts_max = 25});
    broker.tell(wire::Verb::deliver, message);
    (void)broker.expect(wire::Verb::settle);
  };
  EXPECT_DEATH(destroy_in_handler(), "a Worker is destroyed inside a handler of its own");
}

struct Resize {
  std::string picture;
  int width = 0;
  MSGPACK_DEFINE_MAP(picture, width)
};

TEST(Typed, APayloadArrivesAsItsStructAndWhatIsNoneIsDiscardedWithTheReason) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Client client({.connection = at});
  ASSERT_TRUE(client.create_topic("t", {.history = true}));
  Worker worker({.connection = at});
  worker.handle("t", typed<Resize>([](const Resize& wanted, JobContext& job) {
                  return done(wanted.picture + std::to_string(wanted.width) + job.id().topic);
                }));
  ASSERT_TRUE(client.create_topic("numbers", {.history = true}));
  worker.handle("numbers", typed<int>([](int number) { return done(std::to_string(number + 1)); }));
  ASSERT_TRUE(worker.start());
  Producer producer({.connection = at});
  const auto number = producer.enqueue({.topic = "numbers", .payload = to_payload(41)});
  EXPECT_EQ(client.wait(number.id, 60s).value_or(JobView{}).result, "42");
  const auto ended = [&](const std::string& payload) {
    const auto view = client.wait(producer.enqueue({.topic = "t", .payload = payload}).id, 60s);
    EXPECT_TRUE(view);
    return view.value_or(JobView{});
  };
  EXPECT_EQ(ended(to_payload(Resize{"cat", 320})).result, "cat320t");
  for (const std::string& payload : {std::string(), std::string("nonsense"), to_payload(42)}) {
    const JobView dead = ended(payload);
    EXPECT_EQ(dead.state, State::dead);
    EXPECT_EQ(dead.dead_reason, "discarded");
    EXPECT_NE(dead.error.find("the payload does not match the type of this handler"),
              std::string::npos);
  }
  EXPECT_TRUE(worker.stop());
  EXPECT_EQ(broker.stop(), 0);
}

}  // namespace
}  // namespace millrace::testing
