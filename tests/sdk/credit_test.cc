// The credit that a worker grants when messages cross in flight.
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/worker.h>

#include <thread>

namespace millrace::testing {
namespace {

class CreditTest : public ::testing::Test {
 protected:
  void SetUp() override {
    worker.handle("t", [](JobContext&) { return done(); });
    worker.start();
    (void)broker.expect(wire::Verb::hello);
    broker.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
    (void)broker.expect(wire::Verb::topology);
    broker.answer(wire::TopologyOk{.shards = {{broker.endpoint}}, .default_partitions = {0}});
    const std::string body = broker.expect(wire::Verb::subscribe);
    EXPECT_EQ(wire::decode<wire::Subscribe>(body)->credit, 2U);
    broker.answer(wire::Empty{});
  }
  void TearDown() override {
    std::thread stopping([this] { EXPECT_TRUE(worker.stop()); });
    (void)broker.expect(wire::Verb::drain);
    broker.answer(wire::Empty{});
    (void)broker.expect(wire::Verb::goodbye);
    broker.answer(wire::Empty{});
    stopping.join();
  }

  void deliver(std::uint64_t token) {
    wire::Deliver message{.topic = "t"};
    message.jobs.push_back({.seq = token, .token = token, .attempt = 1, .attempts_max = 25});
    broker.tell(wire::Verb::deliver, message);
  }
  // The next message settles just this, and grants one.
  void expect_settled(std::uint64_t token) {
    const std::string body = broker.expect(wire::Verb::settle);
    const auto settle = wire::decode<wire::Settle>(body);
    ASSERT_TRUE(settle);
    ASSERT_EQ(settle->outcomes.size(), 1U);
    EXPECT_EQ(settle->outcomes.front().token, token);
    EXPECT_EQ(settle->credit, 1U);
  }

  ScriptedBroker broker;
  Worker worker{{.connection = {.brokers = {broker.endpoint}}, .concurrency = 1, .prefetch = 1}};
};

TEST_F(CreditTest, IsGivenBackOnceForADeliveryThatIsRevokedWhileItsOutcomeIsOnItsWay) {
  deliver(7);
  expect_settled(7);
  broker.tell(wire::Verb::revoke, wire::Revoke{.tokens = {7}, .reason = "cancelled"});
  broker.answer(wire::SettleOk{.stale = {7}});
  deliver(8);
  expect_settled(8);
  broker.answer(wire::SettleOk{});
}

TEST_F(CreditTest, OfAnOutcomeThatWasRefusedWholeIsGrantedWhenItIsSaidAgain) {
  deliver(7);
  expect_settled(7);
  broker.tell(wire::Verb::revoke, wire::Revoke{.tokens = {7}, .reason = "lease_lost"});
  broker.refuse("overloaded");
  expect_settled(7);
  broker.answer(wire::SettleOk{.stale = {7}});
  deliver(8);
  expect_settled(8);
  broker.answer(wire::SettleOk{});
}

}  // namespace
}  // namespace millrace::testing
