// Wrong values of jobs and options: each is refused at once, in a sentence that names it.
#include "broker_process.h"
#include "event_log.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

void quiet(LogLevel /*level*/, std::string_view /*what*/) {}

const ConnectionOptions nowhere{.brokers = {"ipc:///nowhere/socket"}, .log = quiet};

bool names(const Error& error, std::string_view words) {
  return error.code == ErrorCode::invalid && error.message.find(words) != std::string::npos;
}

TEST(Options, AJobThatContradictsItselfIsRefused) {
  Producer producer({.connection = nowhere, .flush_at_destruction = 0ms});
  const auto now = std::chrono::system_clock::now();
  const auto refused = [&producer](Job job, std::string_view words) {
    const auto told = producer.enqueue(std::move(job));
    EXPECT_EQ(told.outcome, Outcome::rejected);
    EXPECT_TRUE(names(told.error, words)) << told.error.message;
  };
  refused({.topic = "t", .delay = 1s, .run_at = now}, "delay and run_at");
  refused({.topic = "t", .delay = 1ms, .run_at = now + 1h}, "delay and run_at");
  refused({.topic = "t", .delay = -5s}, "delay");
  refused({.topic = "t", .run_at = std::chrono::system_clock::time_point(-1s)}, "run_at");
  refused({.topic = "t", .priority = 10}, "priority");
  refused({.topic = "t", .headers = {{"", "x"}}}, "header");
  refused({.topic = "t", .max_attempts = 0}, "max_attempts");
}

TEST(Options, OfAProducerAreNamedByEveryCall) {
  const auto refused = [](ProducerOptions options, const std::string& words) {
    std::string told;
    options.connection = nowhere;
    options.connection.log = [&told](LogLevel level, std::string_view what) {
      if (level == LogLevel::error) told = what;
    };
    Producer producer(std::move(options));
    EXPECT_NE(told.find(words), std::string::npos) << told;
    const auto one = producer.enqueue({.topic = "t"});
    EXPECT_EQ(one.outcome, Outcome::rejected);
    EXPECT_TRUE(names(one.error, words)) << one.error.message;
    EXPECT_FALSE(producer.connected());
    EXPECT_TRUE(producer.flush(1h));  // nothing is unanswered
  };
  refused({.in_flight_jobs_max = 0}, "in_flight_jobs_max");
  refused({.in_flight_bytes_max = 0}, "in_flight_bytes_max");
  refused({.batch_jobs_max = 0}, "batch_jobs_max");
  refused({.deadline = 0ms}, "deadline");
  refused({.deadline = -1ms}, "deadline");
  refused({.flush_at_destruction = -1ms}, "flush_at_destruction");
  refused({.middleware = {nullptr}}, "middleware");
}

TEST(Options, AnAddressThatIsNoneReachesTheCaller) {
  for (const std::string address :
       {"foo", "", "tcp://", "tcp://localhost", "tcp://:7300", "tcp://host:0", "tcp://host:65536",
        "tcp://host:73x", "tcp://ho st:7300", "ipc://", "http://host:1", "tcp://*:7300"}) {
    const ConnectionOptions at{.brokers = {"ipc:///nowhere/socket", address}, .log = quiet};
    Producer producer({.connection = at});
    const auto told = producer.enqueue({.topic = "t"});
    EXPECT_TRUE(names(told.error, "'" + address + "' is not a valid broker address")) << address;
    Client client({.connection = at});
    const auto topics = client.topics();
    ASSERT_FALSE(topics);
    EXPECT_TRUE(names(topics.error(), "'" + address + "'")) << topics.error().message;
    Worker worker({.connection = at});
    worker.handle("t", [](JobContext&) { return done(); });
    const auto started = worker.start();
    ASSERT_FALSE(started);
    EXPECT_TRUE(names(started.error(), "'" + address + "'")) << started.error().message;
  }
  const std::string long_path = "ipc:///" + std::string(200, 'x');
  Producer producer({.connection = {.brokers = {long_path}, .log = quiet}});
  EXPECT_TRUE(names(producer.enqueue({.topic = "t"}).error, "107 bytes"));
  Client impatient({.connection = {.brokers = nowhere.brokers, .reply_patience = 0ms}});
  EXPECT_TRUE(names(impatient.topics().error(), "reply_patience"));
}

TEST(Options, AnAddressFromTheEnvironmentIsNamedWithIt) {
  ::setenv("MILLRACE_BROKER", "localhost:7300", 1);
  Producer producer({.connection = {.log = quiet}});
  ::unsetenv("MILLRACE_BROKER");
  EXPECT_TRUE(
      names(producer.enqueue({.topic = "t"}).error, "'localhost:7300', from MILLRACE_BROKER"));
}

TEST(Options, OfAWorkerAreRefusedByItsStart) {
  const auto refused = [](WorkerOptions options, std::string_view words) {
    options.connection = nowhere;
    Worker worker(std::move(options));
    worker.handle("t", [](JobContext&) { return done(); });
    const auto started = worker.start();
    ASSERT_FALSE(started);
    EXPECT_TRUE(names(started.error(), words)) << started.error().message;
    EXPECT_FALSE(worker.run({}));
    EXPECT_TRUE(worker.stop());  // nothing ever ran
  };
  refused({.concurrency = 0}, "concurrency");
  refused({.concurrency = -3}, "concurrency");
  refused({.concurrency = 1'000'000}, "concurrency");
  refused({.prefetch = -2}, "prefetch");
  refused({.prefetch = 1'000'000}, "prefetch");
  refused({.drain = -1ms}, "drain");
  refused({.middleware = {nullptr}}, "middleware");
}

TEST(Options, AWorkerWithoutASoundHandlerDoesNotStart) {
  const Handler handler = [](JobContext&) { return done(); };
  std::string told;
  Worker without({.connection = {.brokers = nowhere.brokers,
                                 .log = [&told](LogLevel, auto what) { told = what; }}});
  EXPECT_TRUE(names(without.start().error(), "no handler"));
  EXPECT_NE(told.find("no handler"), std::string::npos);

  const auto refused = [&](const char* topic, const Handler& second, std::string_view words) {
    Worker worker({.connection = nowhere});
    EXPECT_TRUE(worker.handle("t", handler));
    const auto handled = worker.handle(topic, second);
    ASSERT_FALSE(handled);
    EXPECT_TRUE(names(handled.error(), words)) << handled.error().message;
    EXPECT_TRUE(names(worker.start().error(), words));
  };
  refused("u", {}, "'u' is an empty function");
  refused("t", handler, "'t' already has a handler");
  refused("no topic!", handler, "'no topic!'");
}

TEST(Options, HandlersAreFixedOnceAWorkerHasStarted) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}, .log = quiet};
  Worker worker({.connection = at, .concurrency = 2});
  EventLog runs;
  worker.handle("t", [&runs](JobContext&) {
    runs.add("t");
    return done();
  });
  ASSERT_TRUE(worker.start());
  const auto late = worker.handle("late", [](JobContext&) { return done(); });
  ASSERT_FALSE(late);
  EXPECT_TRUE(names(late.error(), "before start()"));
  EXPECT_TRUE(worker.start());  // it runs
  Producer producer({.connection = at});
  EXPECT_EQ(producer.enqueue({.topic = "t"}).outcome, Outcome::stored);
  EXPECT_TRUE(runs.wait_for("t", 1));
  std::thread other([&worker] { EXPECT_TRUE(worker.stop()); });
  EXPECT_TRUE(worker.stop());  // both say how it ended
  other.join();
  EXPECT_TRUE(names(worker.start().error(), "stopped"));
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Options, HeadersOfAnotherMinorVersionAreRefusedByName) {
  EXPECT_EQ(version(), MILLRACE_VERSION);
  EXPECT_EQ(version_number(), std::uint32_t{MILLRACE_VERSION_NUMBER});
  const auto told = [](std::uint32_t compiled_with) {
    ConnectionOptions connection = nowhere;
    connection.headers_version = compiled_with;
    Producer producer({.connection = connection, .deadline = 1ms, .flush_at_destruction = 0ms});
    return producer.enqueue({.topic = "t"}).error;
  };
  EXPECT_TRUE(names(told(7'012'003), "compiled with the headers of Millrace 7.12.3"));
  EXPECT_TRUE(names(told(version_number() + 1'000), std::string(version())));
  EXPECT_EQ(told(version_number() + 1).code, ErrorCode::unavailable);  // another patch
}

}  // namespace
}  // namespace millrace::testing
