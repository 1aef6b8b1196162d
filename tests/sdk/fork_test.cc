// Applications that fork after they have made a Producer, a Worker or a Client: the child is
// answered at once, and the parent's connection stays as it was.
#include "broker_process.h"
#include "child.h"
#include "event_log.h"
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

bool told_of_the_fork(const Enqueued& told) {
  return told.outcome == Outcome::rejected && told.error.code == ErrorCode::unavailable &&
         told.error.message.find("before fork()") != std::string::npos;
}

bool refused_by(Producer& producer) {
  int callbacks = 0;
  const auto count = [&callbacks](const Enqueued& told) { callbacks += told_of_the_fork(told); };
  producer.enqueue_async({.topic = "t"}, count);
  const bool tried = producer.try_enqueue_async({.topic = "t"}, count);
  const auto all = producer.enqueue_all({{.topic = "t"}, {.topic = "t"}});
  return told_of_the_fork(producer.enqueue({.topic = "t"})) && callbacks == 2 && tried &&
         all.size() == 2 && told_of_the_fork(all.back()) && !producer.flush(1h) &&
         !producer.connected();
}

bool refused_by(Worker& worker) {
  const auto started = worker.start();
  const auto handled = worker.handle("other", [](JobContext&) { return done(); });
  return !started && started.error().code == ErrorCode::unavailable && !handled && !worker.stop() &&
         !worker.run({}) && !worker.connected() && worker.counts().delivered == 0 &&
         !worker.refused();
}

bool refused_by(Client& client) {
  const JobId id{"t", 0, 1};
  const auto told = client.topics();
  return !told && told.error().code == ErrorCode::unavailable && !client.job(id) &&
         !client.cancel(id) && !client.wait(id, 1h) && !client.status() &&
         !client.purge_dead({.topic = "t", .limit = 1});
}

TEST(Fork, AChildIsRefusedAtOnceAndTheParentGoesOn) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  auto producer = std::make_unique<Producer>(ProducerOptions{.connection = at});
  auto client = std::make_unique<Client>(ClientOptions{.connection = at});
  auto worker = std::make_unique<Worker>(WorkerOptions{.connection = at, .concurrency = 2});
  EventLog done_jobs;
  worker->handle("t", [&done_jobs](JobContext& job) {
    done_jobs.add(std::string(job.payload()));
    return done();
  });
  ASSERT_TRUE(worker->start());
  ASSERT_EQ(producer->enqueue({.topic = "t", .payload = "before"}).outcome, Outcome::stored);

  EXPECT_EQ(end_of(forked([&] { return refused_by(*producer); })), 0);
  EXPECT_EQ(end_of(forked([&] { return refused_by(*worker); })), 0);
  EXPECT_EQ(end_of(forked([&] { return refused_by(*client); })), 0);
  EXPECT_EQ(end_of(forked([&] {
              producer.reset();
              worker.reset();
              client.reset();
              return true;
            })),
            0);

  EXPECT_EQ(producer->enqueue({.topic = "t", .payload = "after"}).outcome, Outcome::stored);
  EXPECT_TRUE(done_jobs.wait_for("after", 1));
  EXPECT_TRUE(client->topics());
  EXPECT_TRUE(worker->stop());
  EXPECT_EQ(worker->counts().lost, 0U);
  EXPECT_EQ(broker.stop(), 0);
}

// Threads of the parent are inside calls all the time, so some fork finds their locks taken.
TEST(Fork, NoLockThatTheParentHeldStopsTheChild) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Producer producer({.connection = at});
  Client client({.connection = at});
  std::atomic<bool> enough = false;
  std::vector<std::thread> busy;
  busy.emplace_back([&] {
    while (!enough) {
      producer.enqueue_async({.topic = "t"}, nullptr);
      (void)producer.flush(0ms);
    }
  });
  busy.emplace_back([&] {
    while (!enough) (void)client.topics();
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(end_of(forked([&] { return refused_by(producer) && refused_by(client); })), 0);
  }
  enough = true;
  for (auto& thread : busy) thread.join();
  EXPECT_TRUE(producer.flush(60s));
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Fork, AChildMakesAProducerOfItsOwnAndItsChildTheNext) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Producer producer({.connection = at});
  ASSERT_EQ(producer.enqueue({.topic = "t"}).outcome, Outcome::stored);
  const auto stores = [](Producer& own) {
    return own.enqueue({.topic = "t"}).outcome == Outcome::stored && own.flush(60s);
  };
  EXPECT_EQ(end_of(forked([&] {
              Producer childs({.connection = at});
              const pid_t grandchild = forked([&] {
                Producer last({.connection = at});
                return refused_by(producer) && refused_by(childs) && stores(last);
              });
              return stores(childs) && refused_by(producer) && end_of(grandchild) == 0;
            })),
            0);
  EXPECT_TRUE(stores(producer));
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Fork, InsideACallbackAndAHandlerIsSeenToo) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Producer producer({.connection = at});
  Worker worker({.connection = at, .concurrency = 1});
  std::promise<int> in_callback, in_handler;
  worker.handle("t", [&](JobContext&) {
    in_handler.set_value(
        end_of(forked([&] { return refused_by(worker) && refused_by(producer); })));
    return done();
  });
  ASSERT_TRUE(worker.start());
  producer.enqueue_async({.topic = "t"}, [&](const Enqueued&) {
    in_callback.set_value(end_of(forked([&] { return refused_by(producer); })));
  });
  EXPECT_EQ(in_callback.get_future().get(), 0);
  EXPECT_EQ(in_handler.get_future().get(), 0);
  EXPECT_TRUE(worker.stop());
  EXPECT_TRUE(producer.flush(60s));
  EXPECT_EQ(broker.stop(), 0);
}

// On the background thread, and for middleware on the calling one.
TEST(Fork, InsideTheOtherCallbacksIsSeenToo) {
  BrokerProcess broker;
  std::unique_ptr<Producer> producer;
  std::promise<void> made;
  const auto is_made = made.get_future().share();
  EventLog ends;
  const auto fork_in = [&](const std::string& callback) {
    is_made.wait();
    const int end = end_of(forked([&] { return refused_by(*producer); }));
    ends.add(callback + " " + std::to_string(end));
  };
  const auto in_middleware = [&](Job&) -> Result<void> {
    fork_in("middleware");
    return {};
  };
  producer = std::make_unique<Producer>(ProducerOptions{
      .connection = {
          .brokers = {broker.endpoint()},
          .log = [&](auto, std::string_view) { fork_in("log"); },
          .on_connected = [&](const ShardConnection&) { fork_in("on_connected"); },
          .on_disconnected = [&](const ShardConnection&) { fork_in("on_disconnected"); }},
      .middleware = {in_middleware}});
  made.set_value();
  EXPECT_EQ(producer->enqueue({.topic = "t"}).outcome, Outcome::stored);
  broker.kill();
  EXPECT_TRUE(ends.wait_for("on_disconnected 0", 1));
  broker.start();
  EXPECT_TRUE(ends.wait_for("on_connected 0", 2));
  EXPECT_EQ(producer->enqueue({.topic = "t"}).outcome, Outcome::stored);
  EXPECT_GE(ends.count("log 0"), 3);
  EXPECT_EQ(ends.count("middleware 0"), 2);
  EXPECT_EQ(ends.kinds(), 4U);  // each child found what it should
  producer.reset();
  EXPECT_EQ(broker.stop(), 0);
}

// It is on a thread of the application's, so it goes on, and its call is answered.
TEST(Fork, AChildThatComesBackOutOfTheMiddlewareOfAProducerIsTold) {
  BrokerProcess broker;
  pid_t child = -1;
  const auto forks = [&child](Job&) -> Result<void> {
    if (child < 0) child = ::fork();
    if (child == 0) ::alarm(child_seconds_max);
    return {};
  };
  Producer producer({.connection = {.brokers = {broker.endpoint()}}, .middleware = {forks}});
  const auto told = producer.enqueue({.topic = "t"});
  if (child == 0) ::_exit(told_of_the_fork(told) ? 0 : 1);
  EXPECT_EQ(told.outcome, Outcome::stored);
  EXPECT_EQ(end_of(child), 0);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Fork, InsideTheMiddlewareOfAWorkerIsSeenToo) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Producer producer({.connection = at});
  std::unique_ptr<Worker> worker;
  std::promise<int> in_middleware;
  const HandlerMiddleware around = [&](JobContext& job, const Handler& next) {
    in_middleware.set_value(end_of(forked([&] { return refused_by(*worker); })));
    return next(job);
  };
  worker = std::make_unique<Worker>(
      WorkerOptions{.connection = at, .concurrency = 1, .middleware = {around}});
  worker->handle("t", [](JobContext&) { return done(); });
  ASSERT_TRUE(worker->start());
  ASSERT_EQ(producer.enqueue({.topic = "t"}).outcome, Outcome::stored);
  EXPECT_EQ(in_middleware.get_future().get(), 0);
  EXPECT_TRUE(worker->stop());
  EXPECT_EQ(worker->counts().completed, 1U);
  EXPECT_EQ(broker.stop(), 0);
}

// Forks once, where the log is told of this; the child comes back out of the log.
int end_of_a_child_that_comes_back_out_of_the_log(const std::string& when) {
  BrokerProcess broker;
  std::promise<pid_t> child;
  bool forked_once = false;
  Producer producer(
      {.connection = {.brokers = {broker.endpoint()}, .log = [&](auto, std::string_view what) {
                        if (forked_once || !what.ends_with(when)) return;
                        forked_once = true;
                        const pid_t pid = ::fork();
                        if (pid == 0) {
                          ::alarm(child_seconds_max);
                          return;
                        }
                        child.set_value(pid);
                      }}});
  EXPECT_EQ(producer.enqueue({.topic = "t"}).outcome, Outcome::stored);
  broker.kill();
  const int end = end_of(child.get_future().get());
  broker.start();
  EXPECT_EQ(producer.enqueue({.topic = "t"}).outcome, Outcome::stored);
  EXPECT_EQ(broker.stop(), 0);
  return end;
}

TEST(Fork, AChildThatComesBackOutOfTheLogIsEnded) {
  for (const char* when : {"is connected", "is asked for the topology", "is no longer connected"}) {
    ::testing::internal::CaptureStderr();
    const int end = end_of_a_child_that_comes_back_out_of_the_log(when);
    const std::string said = ::testing::internal::GetCapturedStderr();
    ASSERT_EQ(end, 70) << when << said;
    EXPECT_NE(said.find("returned from"), std::string::npos) << when;
  }
}

TEST(Fork, AChildThatComesBackOutOfACallbackIsEnded) {
  BrokerProcess broker;
  Producer producer({.connection = {.brokers = {broker.endpoint()}}});
  std::promise<pid_t> child;
  producer.enqueue_async({.topic = "t"}, [&child](const Enqueued&) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(child_seconds_max);
      return;
    }
    child.set_value(pid);
  });
  EXPECT_EQ(end_of(child.get_future().get()), 70);
  EXPECT_EQ(producer.enqueue({.topic = "t"}).outcome, Outcome::stored);
  EXPECT_EQ(broker.stop(), 0);
}

}  // namespace
}  // namespace millrace::testing
