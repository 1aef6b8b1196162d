// The hooks of the SDK for applications: the log, connection callbacks, middleware.
#include "broker_process.h"
#include "event_log.h"
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

// Lines "level sentence", as a log function gets them.
struct Log {
  [[nodiscard]] std::function<void(LogLevel, std::string_view)> function() {
    return [this](LogLevel level, std::string_view what) {
      lines.add(std::string(to_string(level)) + " " + std::string(what));
    };
  }
  EventLog lines;
};

TEST(Hooks, TheLogTellsOfConnectionsAndOfHandlersThatAreToStop) {
  ScriptedBroker broker;
  Log log;
  const std::string shard = "shard 0 at " + broker.endpoint;
  {
    Worker worker(
        {.connection = {.brokers = {broker.endpoint}, .log = log.function()}, .concurrency = 1});
    std::promise<void> begun;
    worker.handle("t", [&begun](JobContext& job) {
      std::promise<void> stopped;
      const std::stop_callback stopping(job.stop(), [&stopped] { stopped.set_value(); });
      begun.set_value();
      stopped.get_future().get();
      return done();
    });
    ASSERT_TRUE(worker.start());
    broker.welcome_worker();
    EXPECT_TRUE(log.lines.wait_for("info " + shard + " is connected", 1));
    wire::Deliver message{.topic = "t"};
    message.jobs.push_back({.seq = 7, .token = 7, .attempt = 1, .attempts_max = 25});
    broker.tell(wire::Verb::deliver, message);
    begun.get_future().get();
    broker.tell(wire::Verb::revoke, wire::Revoke{.tokens = {7}, .reason = "cancelled"});
    EXPECT_TRUE(log.lines.wait_for("info job t/0/7 is asked to stop: cancelled", 1));
    (void)broker.expect(wire::Verb::credit);  // the handler has ended
    broker.tell(wire::Verb::closing, wire::Closing{.reason = "test"});
    EXPECT_TRUE(log.lines.wait_for("warning " + shard + " is no longer connected", 1));
    broker.welcome_worker(false);
    EXPECT_TRUE(log.lines.wait_for("info " + shard + " is connected", 2));
    std::thread stopping([&worker] { EXPECT_TRUE(worker.stop()); });
    broker.farewell_worker();
    stopping.join();
  }
  EXPECT_EQ(log.lines.count("info " + shard + " is about to stop"), 1);
  EXPECT_EQ(log.lines.count("info " + shard + " is no longer connected"), 1);
  EXPECT_EQ(log.lines.count("debug " + shard + " is asked for the topology"), 1);
}

TEST(Hooks, WithoutALogErrorsAloneAreLinesOnStandardError) {
  ScriptedBroker broker;
  ::testing::internal::CaptureStderr();
  {
    Producer producer({.connection = {.brokers = {broker.endpoint}}, .flush_at_destruction = 0ms});
    std::promise<void> answered;
    producer.enqueue_async({.topic = "t"}, [&answered](const Enqueued&) { answered.set_value(); });
    broker.welcome();
    (void)broker.expect(wire::Verb::enqueue);
    broker.tell(wire::Verb::closing, wire::Closing{.reason = "test"});  // a warning
    (void)broker.expect(wire::Verb::hello);
    broker.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
    (void)broker.expect(wire::Verb::enqueue);
    broker.answer(wire::EnqueueOk{.first_seq = 1, .count = 1});
    answered.get_future().get();
    Producer wrong({.batch_jobs_max = 0});
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "millrace: the Producer cannot start: batch_jobs_max must be at least 1\n");
}

// By turns, on the background thread, to the end.
TEST(Hooks, EachConnectionIsToldOfWhenItComesAndWhenItGoes) {
  BrokerProcess broker;
  Log log;
  EventLog changes;
  std::mutex mutex;
  std::string order;
  std::promise<std::thread::id> callback_ran_on;
  std::thread::id told_on;
  std::unique_ptr<Client> client;
  const auto note = [&](const char* what, const ShardConnection& to) {
    {
      const std::lock_guard lock(mutex);
      order += what;
      told_on = std::this_thread::get_id();
      EXPECT_EQ(to.shard, 0U);
      EXPECT_EQ(to.address, broker.endpoint());
    }
    changes.add(what);
  };
  ConnectionOptions options{
      .brokers = {broker.endpoint()},
      .log = log.function(),
      .on_connected =
          [&](const ShardConnection& to) {
            note("+", to);
            throw std::runtime_error("from on_connected");
          },
      .on_disconnected =
          [&](const ShardConnection& to) {
            if (client) {
              const auto topics = client->topics();
              EXPECT_TRUE(!topics && topics.error().code == ErrorCode::invalid);
            }
            note("-", to);
          }};
  auto connection = std::make_shared<Connection>(options);
  client = std::make_unique<Client>(ClientOptions{.shared_connection = connection});
  auto producer = std::make_unique<Producer>(ProducerOptions{.shared_connection = connection});
  producer->enqueue_async({.topic = "t"}, [&](const Enqueued&) {
    callback_ran_on.set_value(std::this_thread::get_id());
  });
  EXPECT_TRUE(changes.wait_for("+", 1));
  EXPECT_EQ(callback_ran_on.get_future().get(), told_on);
  broker.kill();
  EXPECT_TRUE(changes.wait_for("-", 1));
  broker.start();
  EXPECT_TRUE(changes.wait_for("+", 2));
  connection.reset();
  producer.reset();
  EXPECT_EQ(changes.count("-"), 1);
  client.reset();  // the last
  EXPECT_EQ(order, "+-+-");
  EXPECT_EQ(log.lines.count("error a connection callback threw: from on_connected"), 2);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Hooks, MiddlewareOfAProducerChangesAndRefusesJobsInItsOrder) {
  BrokerProcess broker;
  const std::thread::id here = std::this_thread::get_id();
  std::string order;
  const auto first = [&](Job& job) -> Result<void> {
    EXPECT_EQ(std::this_thread::get_id(), here);
    order += "1";
    if (job.payload == "throws") throw std::runtime_error("from the middleware");
    if (job.payload == "throws 5") throw 5;
    if (job.payload == "forbidden") {
      return tl::unexpected(Error{ErrorCode::forbidden, "not this one", {}});
    }
    job.headers["seen"] += "a";
    return {};
  };
  const auto second = [&](Job& job) -> Result<void> {
    order += "2";
    job.headers["seen"] += "b";
    if (job.payload == "misspelt") job.topic = "no topic!";
    return {};
  };
  Producer producer(
      {.connection = {.brokers = {broker.endpoint()}}, .middleware = {first, second}});
  Worker worker({.connection = {.brokers = {broker.endpoint()}}});
  EventLog headers;
  worker.handle("t", [&headers](JobContext& job) {
    headers.add(job.headers().at("seen"));
    return done();
  });
  ASSERT_TRUE(worker.start());
  EXPECT_EQ(producer.enqueue({.topic = "t", .headers = {{"seen", "_"}}}).outcome, Outcome::stored);
  EXPECT_TRUE(headers.wait_for("_ab", 1));
  EXPECT_EQ(order, "12");
  const auto refused = [&](const char* payload) {
    const auto told = producer.enqueue({.topic = "t", .payload = payload});
    EXPECT_EQ(told.outcome, Outcome::rejected);
    return told.error;
  };
  EXPECT_EQ(refused("forbidden").code, ErrorCode::forbidden);
  EXPECT_EQ(refused("forbidden").message, "not this one");
  EXPECT_EQ(order, "1211");  // the second did not run
  EXPECT_EQ(refused("throws").code, ErrorCode::invalid);
  EXPECT_NE(refused("throws").message.find("threw: from the middleware"), std::string::npos);
  EXPECT_EQ(refused("throws 5").code, ErrorCode::invalid);
  EXPECT_NE(refused("misspelt").message.find("a topic name"), std::string::npos);
  order.clear();
  bool told = false;
  EXPECT_TRUE(producer.try_enqueue_async({.topic = "t", .payload = "forbidden"},
                                         [&told](const Enqueued&) { told = true; }));
  EXPECT_TRUE(told);
  EXPECT_EQ(order, "1");
  EXPECT_TRUE(worker.stop());
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Hooks, MiddlewareOfAWorkerWrapsItsHandlersInItsOrder) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Client client({.connection = at});
  ASSERT_TRUE(client.create_topic("t", {.backoff_min = 1ms, .backoff_max = 1ms, .history = true}));
  std::mutex mutex;
  std::string steps;  // of one handler thread, read by this one
  const auto step = [&](const char* one) {
    const std::lock_guard lock(mutex);
    steps += one;
  };
  const auto order = [&] {
    const std::lock_guard lock(mutex);
    return steps;
  };
  std::thread::id handler_thread;
  std::atomic<bool> same_thread = true;
  const auto outer = [&](JobContext& job, const Handler& next) {
    step("(");
    HandlerResult result = next(job);  // an exception goes on: a retry
    step(")");
    same_thread = same_thread && std::this_thread::get_id() == handler_thread;
    if (result.kind == HandlerResult::Kind::done) result.text += " outer";
    return result;
  };
  const auto inner = [&](JobContext& job, const Handler& next) -> HandlerResult {
    step("[");
    if (job.payload() == "skipped") return discard("not for us");
    if (job.payload() == "caught") {
      try {
        return next(job);
      } catch (const std::exception& e) {
        return done(std::string("mended: ") + e.what());
      }
    }
    return next(job);
  };
  Worker worker({.connection = at, .concurrency = 1, .middleware = {outer, inner}});
  worker.handle("t", [&](JobContext& job) -> HandlerResult {
    handler_thread = std::this_thread::get_id();
    step("h");
    if (job.payload() == "caught") throw std::runtime_error("from the handler");
    if (job.payload() == "thrown" && job.attempt() == 1) throw std::runtime_error("once");
    return done("handled");
  });
  ASSERT_TRUE(worker.start());
  Producer producer({.connection = at});
  const auto ended = [&](const char* payload) {
    {
      const std::lock_guard lock(mutex);
      steps.clear();
    }
    const auto view = client.wait(producer.enqueue({.topic = "t", .payload = payload}).id, 60s);
    EXPECT_TRUE(view) << view.error().message;
    return view.value_or(JobView{});
  };
  EXPECT_EQ(ended("plain").result, "handled outer");
  EXPECT_EQ(order(), "([h)");
  EXPECT_EQ(ended("skipped").error, "not for us");
  EXPECT_EQ(order(), "([)");
  EXPECT_EQ(ended("caught").result, "mended: from the handler outer");
  const JobView again = ended("thrown");
  EXPECT_EQ(again.error, "once");
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(again.result, "handled outer");
  EXPECT_EQ(order(), "([h([h)");
  EXPECT_TRUE(same_thread);
  EXPECT_TRUE(worker.stop());
  EXPECT_EQ(broker.stop(), 0);
}

}  // namespace
}  // namespace millrace::testing
