// One Connection under many Producers, Workers and Clients: what they share, and that each behaves
// as with a connection of its own.
#include "broker_process.h"
#include "child.h"
#include "event_log.h"
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

void unheard(LogLevel /*level*/, std::string_view /*what*/) {}

std::shared_ptr<Connection> connection_to(const std::string& endpoint) {
  return std::make_shared<Connection>(ConnectionOptions{.brokers = {endpoint}, .log = unheard});
}

std::ptrdiff_t entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator{});
}

bool stores(Producer& producer, const std::string& payload = "p") {
  return producer.enqueue({.topic = "t", .payload = payload}).outcome == Outcome::stored;
}

TEST(SharedConnection, ProducersWorkersAndClientsWorkSideBySideOverABrokersRestart) {
  BrokerProcess broker;
  const auto connection = connection_to(broker.endpoint());
  EXPECT_FALSE(connection->connected());
  Producer first({.shared_connection = connection}), second({.shared_connection = connection});
  Client client({.shared_connection = connection, .timeout = 60s});
  Worker worker({.shared_connection = connection, .concurrency = 2});
  EventLog done_jobs;
  worker.handle("t", [&](JobContext& job) {
    done_jobs.add(std::string(job.payload()));
    // On a handler's thread nothing would wait for itself.
    const bool stored = job.payload() != "one" || stores(second, "of a handler");
    EXPECT_TRUE(stored);
    return done();
  });
  ASSERT_TRUE(worker.start());
  EXPECT_TRUE(stores(first, "one"));
  EXPECT_TRUE(stores(second, "two"));
  EXPECT_TRUE(connection->connected());
  EXPECT_TRUE(first.connected() && second.connected());
  EXPECT_TRUE(client.topics("t"));
  EXPECT_TRUE(done_jobs.wait_for_kinds(3));
  broker.kill();
  broker.start();
  EXPECT_TRUE(stores(first, "three"));
  EXPECT_TRUE(stores(second, "four"));
  EXPECT_TRUE(client.topics("t"));
  EXPECT_TRUE(done_jobs.wait_for_kinds(5));
  EXPECT_TRUE(worker.stop());
  EXPECT_TRUE(stores(first, "after the worker"));
  EXPECT_EQ(broker.stop(), 0);
}

// Nothing is asked of it: its own thread notices what becomes of the broker.
TEST(SharedConnection, ThatIsIdleKnowsWhetherItIsConnected) {
  BrokerProcess broker;
  const auto connection = connection_to(broker.endpoint());
  const auto becomes = [&](bool connected) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (connection->connected() != connected && std::chrono::steady_clock::now() < until) {
      std::this_thread::yield();
    }
    return connection->connected() == connected;
  };
  Worker worker({.shared_connection = connection});
  worker.handle("t", [](JobContext&) { return done(); });
  ASSERT_TRUE(worker.start());
  std::optional<Producer> producer;
  EXPECT_FALSE(connection->connected());  // a worker's session is its own
  producer.emplace(ProducerOptions{.shared_connection = connection});
  ASSERT_TRUE(becomes(true));
  EXPECT_TRUE(producer->connected());
  broker.kill();
  ASSERT_TRUE(becomes(false));
  EXPECT_FALSE(producer->connected());
  broker.start();
  ASSERT_TRUE(becomes(true));
  producer.reset();
  EXPECT_TRUE(connection->connected());  // the session stays, for those to come
  broker.kill();
  ASSERT_TRUE(becomes(false));
}

TEST(SharedConnection, AnotherProducerCostsNoThreadAndNoDescriptor) {
  BrokerProcess broker;
  const auto connection = connection_to(broker.endpoint());
  std::vector<std::unique_ptr<Producer>> producers;
  const auto add = [&] {
    producers.push_back(
        std::make_unique<Producer>(ProducerOptions{.shared_connection = connection}));
    ASSERT_TRUE(stores(*producers.back()));
  };
  add();
  const auto threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd");
  for (int i = 0; i < 9; ++i) add();
  Client client({.shared_connection = connection});
  ASSERT_TRUE(client.topics());
  EXPECT_EQ(entries("/proc/self/task"), threads);
  EXPECT_EQ(entries("/proc/self/fd"), descriptors);
  EXPECT_EQ(broker.stop(), 0);
}

// Two producers and a client say one HELLO; each gets the answers to what it sent, and after a
// reconnect sends again what was its own.
TEST(SharedConnection, EachIsAnsweredItsOwnAndSendsItsOwnAgain) {
  ScriptedBroker broker;
  const auto connection = connection_to(broker.endpoint);
  Producer first({.shared_connection = connection}), second({.shared_connection = connection});
  std::promise<Enqueued> of_first, of_second;
  first.enqueue_async({.topic = "t", .payload = "first"},
                      [&](const Enqueued& told) { of_first.set_value(told); });
  broker.welcome();
  const std::string body_of_first = broker.expect(wire::Verb::enqueue);
  second.enqueue_async({.topic = "t", .payload = "second"},
                       [&](const Enqueued& told) { of_second.set_value(told); });
  const std::string body_of_second = broker.expect(wire::Verb::enqueue);
  const auto sent = wire::decode<wire::Enqueue>(body_of_first);
  const auto other = wire::decode<wire::Enqueue>(body_of_second);
  ASSERT_TRUE(sent && other);
  EXPECT_NE(sent->producer, other->producer);
  EXPECT_EQ(sent->batch, 1U);
  EXPECT_EQ(other->batch, 1U);
  broker.answer(wire::EnqueueOk{.first_seq = 22, .count = 1});
  EXPECT_EQ(of_second.get_future().get().id.seq, 22U);

  broker.tell(wire::Verb::closing, wire::Closing{.reason = "test"});
  (void)broker.expect(wire::Verb::hello);
  broker.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
  EXPECT_EQ(broker.expect(wire::Verb::enqueue), body_of_first);
  broker.answer(wire::EnqueueOk{.first_seq = 11, .count = 1});
  EXPECT_EQ(of_first.get_future().get().id.seq, 11U);

  Client client({.shared_connection = connection, .timeout = 60s});
  auto asked = std::async(std::launch::async, [&client] { return client.topics(); });
  (void)broker.expect(wire::Verb::topics);  // no HELLO, no question for the topology
  broker.answer(wire::TopicsOk{});
  EXPECT_TRUE(asked.get());
}

TEST(SharedConnection, AnswersOfOneThatIsGoneReachNobody) {
  ScriptedBroker broker;
  const auto connection = connection_to(broker.endpoint);
  auto gone = std::make_unique<Producer>(
      ProducerOptions{.shared_connection = connection, .flush_at_destruction = 0ms});
  Producer stays({.shared_connection = connection});
  std::vector<Outcome> told_gone;
  std::promise<Enqueued> told;
  gone->enqueue_async({.topic = "t"},
                      [&](const Enqueued& outcome) { told_gone.push_back(outcome.outcome); });
  broker.welcome();
  (void)broker.expect(wire::Verb::enqueue);
  gone.reset();
  EXPECT_EQ(told_gone, std::vector{Outcome::unknown});
  broker.answer(wire::EnqueueOk{.first_seq = 1, .count = 1});
  stays.enqueue_async({.topic = "t"}, [&](const Enqueued& outcome) { told.set_value(outcome); });
  (void)broker.expect(wire::Verb::enqueue);
  broker.answer(wire::EnqueueOk{.first_seq = 2, .count = 1});
  EXPECT_EQ(told.get_future().get().id.seq, 2U);
  EXPECT_EQ(told_gone.size(), 1U);
}

TEST(SharedConnection, LivesUntilTheLastThatHasItIsGone) {
  BrokerProcess broker;
  auto connection = connection_to(broker.endpoint());
  auto first = std::make_unique<Producer>(ProducerOptions{.shared_connection = connection});
  Client client({.shared_connection = std::move(connection)});
  EXPECT_TRUE(stores(*first));
  first.reset();
  EXPECT_TRUE(client.topics());
  EXPECT_EQ(broker.stop(), 0);
}

TEST(SharedConnection, BesideOptionsOfTheirOwnIsRefused) {
  const auto connection = connection_to("ipc:///nowhere/socket");
  const auto names = [](const Error& error) {
    return error.code == ErrorCode::invalid &&
           error.message.find("connection and shared_connection") != std::string::npos;
  };
  const std::vector<ConnectionOptions> given{
      {.brokers = {"ipc:///other"}}, {.name = "n"}, {.reply_patience = 1ms}, {.log = unheard}};
  for (const ConnectionOptions& own : given) {
    Producer producer({.connection = own, .shared_connection = connection});
    EXPECT_TRUE(names(producer.enqueue({.topic = "t"}).error));
    Client client({.connection = own, .shared_connection = connection});
    EXPECT_TRUE(names(client.topics().error()));
    Worker worker({.connection = own, .shared_connection = connection});
    worker.handle("t", [](JobContext&) { return done(); });
    EXPECT_TRUE(names(worker.start().error()));
  }
  const auto wrong = connection_to("nonsense");
  Producer producer({.shared_connection = wrong});
  EXPECT_EQ(producer.enqueue({.topic = "t"}).error.code, ErrorCode::invalid);
  EXPECT_FALSE(wrong->connected());
}

TEST(SharedConnection, ACallbackOfOneMayNotWaitForAnother) {
  BrokerProcess broker;
  const auto connection = connection_to(broker.endpoint());
  Producer producer({.shared_connection = connection}), other({.shared_connection = connection});
  Client client({.shared_connection = connection});
  Worker worker({.shared_connection = connection, .concurrency = 1});
  worker.handle("other", [](JobContext&) { return done(); });
  ASSERT_TRUE(worker.start());
  std::promise<void> over;
  std::unique_ptr<Producer> made_there;
  producer.enqueue_async({.topic = "t"}, [&](const Enqueued&) {
    EXPECT_EQ(other.enqueue({.topic = "t"}).error.code, ErrorCode::invalid);
    EXPECT_FALSE(other.flush(patience));
    const auto topics = client.topics();
    EXPECT_TRUE(!topics && topics.error().code == ErrorCode::invalid);
    EXPECT_FALSE(client.wait({"t", 0, 1}, 1h));
    EXPECT_FALSE(worker.stop());
    other.enqueue_async({.topic = "t"}, nullptr);  // never waits
    made_there = std::make_unique<Producer>(ProducerOptions{.shared_connection = connection});
    made_there->enqueue_async({.topic = "t"}, [&over](const Enqueued& told) {
      EXPECT_EQ(told.outcome, Outcome::stored);
      over.set_value();
    });
  });
  over.get_future().get();
  EXPECT_TRUE(worker.run({}) || worker.stop());  // the stop that was asked for
  EXPECT_TRUE(other.flush(patience));
  EXPECT_EQ(broker.stop(), 0);
}

TEST(SharedConnectionDeathTest, DestroyingAnyThatSharesItInACallbackSaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto destroy = [](auto* victim_of) {
    const auto connection = connection_to("ipc:///nowhere");
    auto* const victim = victim_of(connection);
    Producer producer({.shared_connection = connection, .deadline = 1ms});
    producer.enqueue_async({.topic = "t"}, [victim](const Enqueued&) { delete victim; });
    (void)producer.flush(patience);
  };
  using Shared = std::shared_ptr<Connection>;
  EXPECT_DEATH(destroy(+[](const Shared& c) { return new Producer({.shared_connection = c}); }),
               "a Producer is destroyed inside a callback");
  EXPECT_DEATH(destroy(+[](const Shared& c) { return new Client({.shared_connection = c}); }),
               "a Client is destroyed inside a callback");
  EXPECT_DEATH(destroy(+[](const Shared& c) { return new Worker({.shared_connection = c}); }),
               "a Worker is destroyed inside");
}

TEST(SharedConnection, AChildIsRefusedAlsoWhatItMakesOfItAndTheParentGoesOn) {
  BrokerProcess broker;
  auto connection = connection_to(broker.endpoint());
  auto producer = std::make_unique<Producer>(ProducerOptions{.shared_connection = connection});
  ASSERT_TRUE(stores(*producer));
  const auto told_of_the_fork = [](const Error& error) {
    return error.code == ErrorCode::unavailable &&
           error.message.find("before fork()") != std::string::npos;
  };
  EXPECT_EQ(end_of(forked([&] {
              Producer made({.shared_connection = connection});
              Client asks({.shared_connection = connection});
              Worker works({.shared_connection = connection});
              const auto topics = asks.topics();
              const auto started = works.start();
              return told_of_the_fork(producer->enqueue({.topic = "t"}).error) &&
                     told_of_the_fork(made.enqueue({.topic = "t"}).error) && !made.connected() &&
                     !topics && told_of_the_fork(topics.error()) && !started &&
                     told_of_the_fork(started.error()) && !connection->connected();
            })),
            0);
  EXPECT_EQ(end_of(forked([&] {
              producer.reset();
              connection.reset();
              const auto own = connection_to(broker.endpoint());
              Producer childs({.shared_connection = own});
              return stores(childs);
            })),
            0);
  EXPECT_TRUE(stores(*producer));
  EXPECT_EQ(broker.stop(), 0);
}

}  // namespace
}  // namespace millrace::testing
