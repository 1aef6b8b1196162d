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
#include <utility>
#include <vector>

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

// Each turn of the worker's loop could send one: CREDIT, for a job that is taken back, shows that a
// turn has been. A slow machine only makes more of them due.
TEST_F(WorkerTest, OfProgressOneIsSentEach100msHoweverManyTurnsThereAre) {
  constexpr int steps = 100;
  std::vector<std::promise<void>> go(steps), told(steps);
  std::promise<void> seen;
  begin([&](JobContext& job) {
    for (std::size_t step = 0; step < steps; ++step) {
      go[step].get_future().get();
      job.progress(static_cast<int>(step + 1));
      told[step].set_value();
    }
    seen.get_future().get();
    return done();
  });
  deliver({.seq = 1, .token = 1'000, .attempt = 1, .attempts_max = 25});
  int sent = 0;
  std::uint64_t last = 0;
  const auto begun = std::chrono::steady_clock::now();
  const auto next = [&] {
    const auto [verb, body] = broker.next();
    if (verb == wire::Verb::progress) {
      ++sent;
      last = wire::decode<wire::Progress>(body)->percent.value_or(0);
    }
    return verb;
  };
  for (std::size_t step = 0; step < steps; ++step) {
    go[step].set_value();
    told[step].get_future().get();
    deliver({.seq = 2 + step, .token = step, .attempt = 1, .attempts_max = 25});
    broker.tell(wire::Verb::revoke, wire::Revoke{.tokens = {step}, .reason = "lease_lost"});
    while (next() != wire::Verb::credit) {
    }
  }
  while (last < steps) (void)next();  // the last one is sent
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_LE(sent, 1 + took / 100ms);
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

// A broker that falls silent when a worker is to stop: its last outcome is said again on a new
// connection after 5 s, and given up after 10 s. Three of them at once, for it takes the time.
class SilentAtTheEnd {
 public:
  explicit SilentAtTheEnd(bool destroyed = false, bool answers_the_second = false) {
    auto worker = std::make_unique<Worker>(WorkerOptions{
        .connection = {.brokers = {broker_.endpoint}, .log = [](auto, auto) {}}, .concurrency = 1});
    worker->handle("t", [](JobContext&) { return done(); });
    EXPECT_TRUE(worker->start());
    broker_.welcome_worker();
    wire::Deliver message{.topic = "t"};
    message.jobs.push_back({.seq = 1, .token = 1, .attempt = 1, .attempts_max = 25});
    broker_.tell(wire::Verb::deliver, message);
    (void)broker_.expect(wire::Verb::settle);
    stopped_ = std::async(std::launch::async, [worker = std::move(worker), destroyed]() mutable {
      const auto began = std::chrono::steady_clock::now();
      const bool settled = !destroyed && worker->stop();
      if (destroyed) worker.reset();
      return std::pair(settled, std::chrono::steady_clock::now() - began);
    });
    (void)broker_.expect(wire::Verb::drain);
    if (answers_the_second) broker_.answer(wire::Empty{});
  }
  // The outcome again, on the connection that the worker makes then.
  void answer_the_second() {
    (void)broker_.expect(wire::Verb::hello);
    broker_.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
    (void)broker_.expect(wire::Verb::drain);
    broker_.answer(wire::Empty{});
    (void)broker_.expect(wire::Verb::settle);
    broker_.answer(wire::SettleOk{});
  }
  // What stop() said, and how long it took.
  std::pair<bool, std::chrono::steady_clock::duration> end() { return stopped_.get(); }

 private:
  ScriptedBroker broker_;
  std::future<std::pair<bool, std::chrono::steady_clock::duration>> stopped_;
};

TEST(StoppingWorker, GivesUpABrokerThatDoesNotAnswerAfter10s) {
  SilentAtTheEnd silent, destroyed(true), answers(false, true);
  answers.answer_the_second();
  EXPECT_TRUE(answers.end().first);
  const auto [settled, took] = silent.end();
  EXPECT_FALSE(settled);
  EXPECT_GE(took, 10s);
  EXPECT_GE(destroyed.end().second, 10s);
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
