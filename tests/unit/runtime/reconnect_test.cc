// A worker whose connection was closed at the other end: how long it is waited for, and what the
// shard does with its jobs when it comes back, or does not.
#include "runtime/reconnect_waits.h"
#include "runtime/shard.h"

#include "storage/sqlite_store.h"
#include "store_kit.h"
#include "wire/codec.h"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace::runtime {
namespace {

core::SessionId session_of(std::uint8_t number) {
  core::SessionId session{};
  session[0] = number;
  return session;
}

int ticks_until_gone(ReconnectWaits& waits) {
  for (int ticks = 1; ticks < 100; ++ticks) {
    if (!waits.tick().empty()) return ticks;
  }
  return 0;
}

TEST(Reconnect, AWaitLastsItsTicks) {
  ReconnectWaits waits(3'000);
  waits.closed(session_of(1));
  (void)waits.tick();  // the one in which the closing is reported
  EXPECT_EQ(ticks_until_gone(waits), 3'000 / core::lease_tick_ms);
  EXPECT_EQ(ticks_until_gone(waits), 0);
}

TEST(Reconnect, AWaitIsNeverShorterThanItsSetting) {
  ReconnectWaits waits(core::lease_tick_ms + 1);
  waits.closed(session_of(1));
  (void)waits.tick();
  EXPECT_EQ(ticks_until_gone(waits), 2);
}

TEST(Reconnect, WhoComesBackIsNotGoneAndOthersAre) {
  ReconnectWaits waits(1'000);
  waits.closed(session_of(1));
  waits.closed(session_of(2));
  (void)waits.tick();
  waits.forget(session_of(1));
  std::vector<core::SessionId> gone;
  while (gone.empty()) gone = waits.tick();
  EXPECT_EQ(gone, std::vector{session_of(2)});
}

TEST(Reconnect, ASecondClosingBeginsTheWaitAnew) {
  ReconnectWaits waits(1'000);
  waits.closed(session_of(1));
  (void)waits.tick();
  (void)waits.tick();
  waits.closed(session_of(1));
  (void)waits.tick();
  EXPECT_EQ(ticks_until_gone(waits), 4);
}

TEST(Reconnect, ZeroMeansThatClosingsDoNotCount) {
  ReconnectWaits waits(0);
  waits.closed(session_of(1));
  EXPECT_EQ(ticks_until_gone(waits), 0);
}

TEST(Reconnect, TheSentenceSaysWhatHappened) {
  EXPECT_EQ(ReconnectWaits(3'000).how(),
            "is gone: its connection closed and it did not come back within 3 s");
  EXPECT_EQ(ReconnectWaits(2'500).how(),
            "is gone: its connection closed and it did not come back within 2500 ms");
}

// A shard with a topic whose dead jobs show at once what happened, and one worker with one job.
class ClosedConnection : public ::testing::Test, public storage::InFolder, public ShardPort {
 protected:
  void SetUp() override {
    make_folder();
    auto store = storage::open_sqlite({.path = path_});
    ASSERT_TRUE(store) << store.error().message;
    ShardOptions options;
    options.topology = {{"ipc:///nowhere"}};
    options.topics.push_back({0, "t", {.partitions = 1, .attempts_max = 1}, false});
    shard_ = std::make_unique<Shard>(std::move(options), std::move(*store), *this);
    ASSERT_EQ(shard_->start(now_), "");
    hello("w");
    turn("w", wire::Verb::subscribe, wire::encode(wire::Subscribe{{"t"}, 1}));
    wire::Enqueue message;
    message.topic = "t";
    message.jobs.push_back({"x", {}, {}, {}, {}, {}, {}});
    turn("w", wire::Verb::enqueue, wire::encode(message));
    ASSERT_EQ(topic().running, 1U);
  }
  void TearDown() override { remove_folder(); }

  bool send(const std::string& peer, std::string_view header, std::string_view body) override {
    const auto read = wire::decode_header(header);
    const auto verb = static_cast<wire::Verb>(read->verb);
    if (verb == wire::Verb::deliver) token_ = wire::decode<wire::Deliver>(body)->jobs.at(0).token;
    if (const auto hello_ok = wire::decode<wire::HelloOk>(body)) lost_ = hello_ok->lost;
    if (const auto settle_ok = wire::decode<wire::SettleOk>(body)) stale_ = settle_ok->stale;
    sent_to_ = peer;
    return true;
  }
  void worker_came(const net::Incoming& /*hello*/, const core::SessionId& /*session*/,
                   std::uint64_t /*pid*/) override {}
  void worker_went(const core::SessionId& /*session*/) override { went_ = true; }

  void turn(const std::string& peer, wire::Verb verb, const std::string& body) {
    const std::string header = wire::encode_header(verb, ++correlation_);
    shard_->begin_turn(now_);
    shard_->take({.peer = peer, .header = header, .body = body, .two_parts = true});
    shard_->finish_turn();
  }
  void hello(const std::string& peer) {
    wire::Hello message;
    message.role = wire::Role::worker;
    message.session = session_of(1);
    message.name = "host:7";
    if (token_ != 0) message.held.emplace_back(*wire::parse_job("t/0/1"), token_);
    turn(peer, wire::Verb::hello, wire::encode(message));
  }
  void tick(const std::vector<core::SessionId>& closed = {}) {
    now_.mono_ms += core::lease_tick_ms;
    now_.wall_ms += core::lease_tick_ms;
    shard_->tick(now_, {}, closed);
    shard_->begin_turn(now_);
    shard_->finish_turn();
  }
  // Longer than the wait, shorter than the lease.
  void ticks() {
    for (int i = 0; i < 20; ++i) tick();
  }
  core::TopicStats topic() const { return shard_->engine().topics(now_).at(0); }

  std::unique_ptr<Shard> shard_;
  core::Now now_{1'000, 1'700'000'000'000};
  std::uint64_t token_ = 0, correlation_ = 0;
  std::vector<std::uint64_t> lost_, stale_;
  std::string sent_to_;
  bool went_ = false;
};

TEST_F(ClosedConnection, EndsTheSessionThatDoesNotComeBackAndCountsAsADeath) {
  tick({session_of(1)});
  EXPECT_EQ(topic().running, 1U);
  ticks();
  EXPECT_EQ(topic().running, 0U);
  EXPECT_EQ(topic().dead, 1U);  // its one attempt was used
  EXPECT_TRUE(went_);
}

TEST_F(ClosedConnection, DoesNothingToASessionThatCameBack) {
  tick({session_of(1)});
  hello("w2");
  ticks();
  EXPECT_EQ(topic().running, 1U);
  EXPECT_TRUE(lost_.empty());
  EXPECT_FALSE(went_);
}

TEST_F(ClosedConnection, DoesNothingWhereTheWorkerIsOnlySilent) {
  ticks();
  EXPECT_EQ(topic().running, 1U);
}

TEST_F(ClosedConnection, LeavesAWorkerThatComesBackLateNothingToSettle) {
  tick({session_of(1)});
  ticks();
  hello("w2");
  EXPECT_EQ(lost_, std::vector{token_});
  wire::Settle message;
  wire::JobOutcome outcome;
  outcome.token = token_;
  message.outcomes.push_back(outcome);
  turn("w2", wire::Verb::settle, wire::encode(message));
  EXPECT_EQ(stale_, std::vector{token_});
  EXPECT_EQ(topic().completed, 0U);
  EXPECT_EQ(topic().dead, 1U);
}

}  // namespace
}  // namespace millrace::runtime
