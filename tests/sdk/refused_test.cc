// A worker whose topics the broker refuses: the application is notified, and after a temporary
// refusal the worker subscribes again.
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/worker.h>

#include <future>
#include <thread>

namespace millrace::testing {
namespace {

class RefusedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    worker.handle("t", [](JobContext&) { return done(); });
  }
  void welcome() {
    (void)broker.expect(wire::Verb::hello);
    broker.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
    (void)broker.expect(wire::Verb::topology);
    broker.answer(wire::TopologyOk{.shards = {{broker.endpoint}}, .default_partitions = {0}});
  }
  void part() {
    (void)broker.expect(wire::Verb::drain);
    broker.answer(wire::Empty{});
    (void)broker.expect(wire::Verb::goodbye);
    broker.answer(wire::Empty{});
  }

  ScriptedBroker broker;
  std::string told;
  Worker worker{{.connection = {.brokers = {broker.endpoint},
                                .log =
                                    [this](LogLevel level, std::string_view what) {
                                      if (level == LogLevel::error) told = what;
                                    }},
                 .concurrency = 1}};
};

TEST_F(RefusedTest, ForGoodEndsRunAndSaysWhy) {
  auto run = std::async(std::launch::async, [this] { return worker.run({}); });
  welcome();
  (void)broker.expect(wire::Verb::subscribe);
  EXPECT_FALSE(worker.connected());
  broker.refuse("unknown_topic");
  part();
  EXPECT_FALSE(run.get());
  const auto refused = worker.refused();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, ErrorCode::unknown_topic);
  EXPECT_EQ(refused->message, "no");
  EXPECT_EQ(told, "the broker refuses the topics of this worker: no");
  EXPECT_FALSE(worker.connected());
}

TEST_F(RefusedTest, ForAWhileIsAskedAgain) {
  ASSERT_TRUE(worker.start());
  welcome();
  for (const auto* code : {"overloaded", "shutting_down", "disk_full"}) {
    (void)broker.expect(wire::Verb::subscribe);
    broker.refuse(code, 1);
  }
  (void)broker.expect(wire::Verb::subscribe);
  broker.refuse("forbidden", 1);  // it says itself that waiting helps
  const std::string body = broker.expect(wire::Verb::subscribe);
  EXPECT_EQ(wire::decode<wire::Subscribe>(body)->credit, 2U);
  broker.answer(wire::Empty{});
  wire::Deliver message{.topic = "t"};
  message.jobs.push_back({.seq = 1, .token = 1, .attempt = 1, .attempts_max = 25});
  broker.tell(wire::Verb::deliver, message);
  (void)broker.expect(wire::Verb::settle);
  broker.answer(wire::SettleOk{});
  EXPECT_TRUE(worker.connected());
  EXPECT_FALSE(worker.refused());
  EXPECT_EQ(told, "");
  std::thread stopping([this] { EXPECT_TRUE(worker.stop()); });
  part();
  stopping.join();
}

}  // namespace
}  // namespace millrace::testing
