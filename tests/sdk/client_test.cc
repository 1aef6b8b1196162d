// A client's calls: the answers of a real broker, and the errors when an answer does not come.
#include "broker_process.h"
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>

#include <future>
#include <string>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

TEST(ClientCalls, SayWhetherTheyChangedSomething) {
  BrokerProcess broker;
  Client client({.connection = {.brokers = {broker.endpoint()}}});
  EXPECT_TRUE(client.create_topic("t", {.partitions = 2}).value());
  EXPECT_FALSE(client.create_topic("t", {.partitions = 2}).value());
  EXPECT_EQ(client.create_topic("t", {.partitions = 3}).error().code, ErrorCode::conflict);
  EXPECT_TRUE(client.pause("t").value());
  EXPECT_FALSE(client.pause("t").value());
  EXPECT_TRUE(client.topics("t").value().front().paused);
  EXPECT_TRUE(client.resume("t").value());
  EXPECT_FALSE(client.resume("t").value());
  EXPECT_TRUE(client.topics("other").value().empty());
  EXPECT_EQ(client.topics().value().size(), 1U);
  EXPECT_EQ(client.topics().value().front().partitions, 2);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(ClientCalls, LookAtJobsAndCancelThem) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Client client({.connection = at});
  Producer producer({.connection = at});
  ASSERT_TRUE(client.create_topic("t", {.history = true}));
  const JobId first = producer.enqueue({.topic = "t", .payload = "p", .key = "k"}).id;
  const JobId second = producer.enqueue({.topic = "t", .key = "k"}).id;
  const auto view = client.job(first);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->id, first);
  EXPECT_EQ(view->payload, "p");
  EXPECT_EQ(client.explain(first).value().reason, "no_worker");
  const auto page = client.jobs({.topic = "t", .limit = 1});
  ASSERT_TRUE(page && page->jobs.size() == 1 && page->next);
  const auto rest = client.jobs({.topic = "t", .after = page->next});
  ASSERT_TRUE(rest && rest->jobs.size() == 1);
  EXPECT_EQ(rest->jobs.front().id, second);
  const auto waiting = client.wait(first, 1ms);
  ASSERT_TRUE(waiting) << waiting.error().message;
  EXPECT_EQ(waiting->state, State::available);  // as it stands
  EXPECT_EQ(client.cancel(first).value(), State::cancelled);
  EXPECT_EQ(client.cancel(first).error().code, ErrorCode::conflict);
  const auto ended = client.wait(first, 60s);
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(ended->state, State::cancelled);
  const JobId forgotten = producer.enqueue({.topic = "no_history"}).id;
  EXPECT_EQ(client.cancel(forgotten).value(), State::cancelled);
  EXPECT_EQ(client.job(forgotten).error().code, ErrorCode::not_found);
  EXPECT_EQ(client.job({"t", 0, 999}).error().code, ErrorCode::not_found);
  EXPECT_EQ(client.cancel({"no topic!", 0, 1}).error().code, ErrorCode::invalid);
  const auto status = client.status();
  ASSERT_TRUE(status && status->size() == 1);
  EXPECT_TRUE(status->front().accepting);
  EXPECT_TRUE(client.sessions());
  EXPECT_EQ(client.backup_status().error().code, ErrorCode::conflict);  // no folder for them
  EXPECT_EQ(client.backup("b-1").error().code, ErrorCode::conflict);
  EXPECT_EQ(broker.stop(), 0);
}

class SilentBroker : public ::testing::Test {
 protected:
  // HELLO and the question for the topology of a client.
  void welcome() {
    (void)broker.expect(wire::Verb::hello);
    broker.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
    (void)broker.expect(wire::Verb::topology);
    broker.answer(wire::TopologyOk{.shards = {{broker.endpoint}}, .default_partitions = {0}});
  }
  [[nodiscard]] ClientOptions options(std::chrono::milliseconds timeout) const {
    return {.connection = {.brokers = {broker.endpoint}}, .timeout = timeout};
  }
  ScriptedBroker broker;
};

TEST_F(SilentBroker, WasNotReachedSoNothingHappened) {
  Client client(options(1ms));
  EXPECT_EQ(client.topics().error().code, ErrorCode::unavailable);
  EXPECT_EQ(client.resume("t").error().code, ErrorCode::unavailable);
}

// A call of several messages waits for each: pause() asks for the topic first.
TEST_F(SilentBroker, LeavesAQuestionUnansweredAndAChangeUnknown) {
  Client client(options(2s));
  auto asked = std::async(std::launch::async, [&client] { return client.topics(); });
  auto changed = std::async(std::launch::async, [&client] { return client.resume("t"); });
  welcome();
  EXPECT_EQ(asked.get().error().code, ErrorCode::timeout);
  EXPECT_EQ(changed.get().error().code, ErrorCode::outcome_unknown);
}

TEST_F(SilentBroker, SaysWhatIsOfAnotherShapeAndIsNotBelieved) {
  Client client(options(60s));
  auto asked = std::async(std::launch::async, [&client] { return client.topics(); });
  welcome();
  (void)broker.expect(wire::Verb::topics);
  const std::string body = wire::encode(wire::TopicsOk{});
  broker.answer_parts({});
  broker.answer_parts({body, body});
  broker.answer_parts({body, body, body});
  wire::TopicsOk one;
  one.topics.push_back({.topic = "t"});
  broker.answer(one);
  const auto topics = asked.get();
  ASSERT_TRUE(topics) << topics.error().message;
  EXPECT_EQ(topics->size(), 1U);
}

TEST_F(SilentBroker, IsAskedForTheSameChangeAgain) {
  Client client(options(60s));
  auto changed = std::async(std::launch::async, [&client] { return client.resume("t"); });
  welcome();
  const std::string first = broker.expect(wire::Verb::resume);
  EXPECT_TRUE(wire::decode<wire::TopicName>(first)->request);
  broker.tell(wire::Verb::closing, wire::Closing{.reason = "test"});
  (void)broker.expect(wire::Verb::hello);
  broker.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
  EXPECT_EQ(broker.expect(wire::Verb::resume), first);  // with its id
  broker.answer(wire::Flag{.value = true});
  EXPECT_TRUE(changed.get().value());
}

}  // namespace
}  // namespace millrace::testing
