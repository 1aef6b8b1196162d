// The shard on a store that answers late: messages are sent in the order of the turns, each after
// its own commit and all earlier ones.
#include "runtime/shard.h"

#include "late_store.h"
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

using testing::LateStore;

class LateAnswers : public ::testing::Test, public storage::InFolder, public ShardPort {
 protected:
  void SetUp() override {
    make_folder();
    open();
    greet("w", wire::Role::worker, 1);
    turn("w", wire::Verb::subscribe, wire::encode(wire::Subscribe{{"t"}, 0}));
    greet("p", wire::Role::producer, 2);
    (void)taken();
    store_->late = true;
  }
  void TearDown() override { remove_folder(); }

  bool send(const std::string& peer, std::string_view header, std::string_view /*body*/) override {
    const auto read = wire::decode_header(header);
    EXPECT_TRUE(read);
    const auto verb = static_cast<wire::Verb>(read->verb);
    const std::string word = verb == wire::Verb::ok        ? "ok"
                             : verb == wire::Verb::deliver ? "deliver"
                             : verb == wire::Verb::revoke  ? "revoke"
                                                           : std::to_string(read->verb);
    sent_.push_back(peer + " " + word + " " + std::to_string(read->correlation));
    return true;
  }
  void worker_came(const net::Incoming& /*hello*/, const core::SessionId& /*session*/,
                   std::uint64_t /*pid*/) override {}
  void worker_went(const core::SessionId& /*session*/) override { ++went_; }
  void answered_late() override { ++answered_late_; }

  std::vector<std::string> taken() { return std::exchange(sent_, {}); }

  // A turn with one message; the correlation of its answer.
  std::uint64_t turn(const std::string& peer, wire::Verb verb, std::string body) {
    auto kept = std::make_shared<std::pair<std::string, std::string>>(
        wire::encode_header(verb, ++correlation_), std::move(body));
    now_.mono_ms += 1;
    now_.wall_ms += 1;
    shard_->begin_turn(now_);
    shard_->take({.peer = peer,
                  .header = kept->first,
                  .body = kept->second,
                  .owner = kept,
                  .two_parts = true});
    shard_->finish_turn();
    return correlation_;
  }
  std::string ok(const std::string& peer, std::uint64_t correlation) const {
    return peer + " ok " + std::to_string(correlation);
  }
  std::uint64_t enqueue(std::uint64_t batch = 1) {
    wire::Enqueue message;
    message.topic = "t";
    message.producer = id(2);
    message.epoch = 1;
    message.batch = batch;
    message.jobs.push_back({"x", {}, {}, {}, {}, {}, {}});
    return turn("p", wire::Verb::enqueue, wire::encode(message));
  }

  // A turn without a message.
  void turn() {
    now_.mono_ms += 1;
    now_.wall_ms += 1;
    shard_->begin_turn(now_);
    shard_->finish_turn();
  }
  void greet(const std::string& peer, wire::Role role, std::uint8_t number) {
    wire::Hello message;
    message.role = role;
    message.session = id(number);
    message.name = peer;
    turn(peer, wire::Verb::hello, wire::encode(message));
  }
  // The process ends and another begins, on the same file.
  void restart_late() {
    shard_.reset();
    open(true);
  }
  void open(bool late_start = false) {
    auto opened = storage::open_sqlite({.path = path_});
    ASSERT_TRUE(opened) << opened.error().message;
    auto late = std::make_unique<LateStore>(std::move(*opened));
    late->late = late_start;
    store_ = late.get();
    ShardOptions options;
    options.topology = {{"ipc:///nowhere"}};
    options.topics.push_back({0, "t", {.partitions = 1}, false});
    shard_ = std::make_unique<Shard>(std::move(options), std::move(late), *this);
    ASSERT_EQ(shard_->start(now_), "");
  }

  LateStore* store_ = nullptr;
  std::unique_ptr<Shard> shard_;
  int went_ = 0, answered_late_ = 0;

 private:
  static wire::Id id(std::uint8_t number) {
    wire::Id made{};
    made[0] = number;
    return made;
  }
  core::Now now_{1'000, 1'700'000'000'000};
  std::uint64_t correlation_ = 0;
  std::vector<std::string> sent_;
};

TEST_F(LateAnswers, AnEnqueueIsAnsweredAfterItsCommit) {
  const auto asked = enqueue();
  EXPECT_TRUE(taken().empty());
  EXPECT_TRUE(store_->answer_commit());
  EXPECT_EQ(taken(), std::vector{ok("p", asked)});
}

TEST_F(LateAnswers, ADeliveryDoesNotOvertakeTheCommitOfItsEnqueue) {
  const auto asked = enqueue();
  turn("w", wire::Verb::credit, wire::encode(wire::Credit{1}));
  EXPECT_TRUE(taken().empty());
  while (store_->answer_commit()) {
  }
  EXPECT_EQ(taken(), (std::vector<std::string>{ok("p", asked), "w deliver 0"}));
}

TEST_F(LateAnswers, ACopyIsAnsweredAfterTheCommitOfTheFirst) {
  const auto first = enqueue();
  const auto copy = enqueue();
  EXPECT_TRUE(taken().empty());
  while (store_->answer_commit()) {
  }
  EXPECT_EQ(taken(), (std::vector{ok("p", first), ok("p", copy)}));
}

TEST_F(LateAnswers, AQuestionIsAnsweredAfterWhatItSaw) {
  const auto first = enqueue();
  const auto asked = turn("p", wire::Verb::topics, wire::encode(wire::Empty{}));
  EXPECT_TRUE(taken().empty());
  while (store_->answer_commit()) {
  }
  EXPECT_EQ(taken(), (std::vector{ok("p", first), ok("p", asked)}));
}

// On a new connection the worker gets its state by the answer to its HELLO: a delivery of before
// would be one for which it granted nothing.
TEST_F(LateAnswers, ADeliveryDoesNotReachAConnectionThatCameAfterIt) {
  enqueue();
  turn("w", wire::Verb::credit, wire::encode(wire::Credit{1}));
  greet("w2", wire::Role::worker, 1);
  while (store_->answer_commit()) {
  }
  turn();  // nor is its credit one of the new connection, with which the next turn would deliver
  while (store_->answer_commit()) {
  }
  for (const auto& message : taken()) EXPECT_EQ(message.find("deliver"), std::string::npos);
  EXPECT_EQ(shard_->engine().topics({})[0].running, 0U);
  EXPECT_EQ(shard_->engine().credit_free(), 0U);
}

// A query to the store may already show that the job was cancelled.
TEST_F(LateAnswers, AJobThatWasCancelledMeanwhileIsNotDeliveredAndItsCreditComesBack) {
  enqueue();
  turn("w", wire::Verb::credit, wire::encode(wire::Credit{1}));
  turn("p", wire::Verb::cancel, wire::encode(wire::JobName{.job = {"t", 0, 1}}));
  while (store_->answer_commit()) {
  }
  for (const auto& message : taken()) EXPECT_EQ(message.find("deliver"), std::string::npos);
  enqueue(2);
  while (store_->answer_commit()) {
  }
  EXPECT_EQ(taken().back(), "w deliver 0");
}

TEST_F(LateAnswers, ASessionThatEndedAndIsBackKeepsItsNewConnection) {
  turn("w", wire::Verb::goodbye, wire::encode(wire::Empty{}));
  greet("w", wire::Role::worker, 1);
  turn("w", wire::Verb::subscribe, wire::encode(wire::Subscribe{{"t"}, 1}));
  while (store_->answer_commit()) {
  }
  EXPECT_EQ(went_, 0);
  (void)taken();
  enqueue();
  while (store_->answer_commit()) {
  }
  EXPECT_EQ(taken().back(), "w deliver 0");
}

TEST_F(LateAnswers, ALoadThatIsAnsweredLateWakesTheShard) {
  store_->late = false;
  enqueue();
  restart_late();
  greet("w", wire::Role::worker, 1);
  turn("w", wire::Verb::subscribe, wire::encode(wire::Subscribe{{"t"}, 2}));
  while (store_->answer_commit()) {
  }
  while (shard_->wants_turn()) turn();
  (void)taken();
  answered_late_ = 0;
  while (store_->answer_load()) {
  }
  EXPECT_GT(answered_late_, 0);
  ASSERT_TRUE(shard_->wants_turn());
  turn();
  while (store_->answer_commit()) {
  }
  EXPECT_EQ(taken(), std::vector<std::string>{"w deliver 0"});
}

TEST_F(LateAnswers, ACommitThatFailsLateIsToldAndNothingOfItLeaves) {
  enqueue();
  store_->lose_connection("the connection to the database is lost");
  EXPECT_EQ(answered_late_, 1);
  EXPECT_EQ(shard_->failure(), "the connection to the database is lost");
  turn();
  EXPECT_TRUE(taken().empty());
}

}  // namespace
}  // namespace millrace::runtime
