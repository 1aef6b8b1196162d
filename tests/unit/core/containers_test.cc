// The containers of the scheduler: bytes with a reference count, a ring buffer, the table of
// leases.
#include "core/bytes.h"
#include "core/lease_table.h"
#include "core/ring.h"

#include <gtest/gtest.h>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace millrace::core {
namespace {

TEST(Bytes, CopiesShareAndTheLastOneKeepsThemAlive) {
  Bytes last;
  const char* at = nullptr;
  {
    const Bytes first(std::string(1'000, 'x'));
    at = first.bytes().data();
    last = first;
  }
  EXPECT_EQ(last.bytes().data(), at);
  EXPECT_EQ(last, std::string(1'000, 'x'));
}

TEST(Bytes, EmptyTakesNoRoomAndComparesByValue) {
  EXPECT_TRUE(Bytes("").empty());
  EXPECT_EQ(Bytes(""), Bytes());
  EXPECT_EQ(Bytes("a"), Bytes("a"));
  EXPECT_FALSE(Bytes("a") == Bytes("b"));
}

TEST(Bytes, AssigningToItselfKeepsThem) {
  Bytes bytes("kept");
  const Bytes& same = bytes;
  bytes = same;
  EXPECT_EQ(bytes, "kept");
}

// Every operation at random, beside the standard's own.
TEST(Ring, DoesWhatADequeDoes) {
  std::mt19937 random(7);
  Ring<std::string> ring;
  std::deque<std::string> model;
  for (int i = 0; i < 20'000; ++i) {
    // Grows for a while, then shrinks, so that it passes every size again and again.
    const bool grow = i / 500 % 2 == 0 ? random() % 4 != 0 : random() % 4 == 0;
    if (grow || model.empty()) {
      const std::string value = std::to_string(i);
      if (random() % 2 == 0) {
        ring.push_back(std::string(value));
        model.push_back(value);
      } else {
        ring.push_front(std::string(value));
        model.push_front(value);
      }
    } else if (random() % 3 == 0) {
      const std::size_t at = random() % model.size();
      EXPECT_EQ(ring.erase(at), model[at]);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      EXPECT_EQ(ring.pop_front(), model.front());
      model.pop_front();
    }
    ASSERT_EQ(ring.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(ring.front(), model.front());
      const std::size_t at = random() % model.size();
      ASSERT_EQ(ring[at], model[at]);
    }
  }
}

struct Held {
  Token token = 0;
  JobRef ref;
  std::size_t holder = 0;
};

// The table beside the plainest thing that could do the same.
class LeaseModel : public testing::Test {
 protected:
  static constexpr std::size_t holders = 3;

  void add() {
    Lease lease;
    lease.token = ++tokens_;
    lease.job.ref = {1 + static_cast<TopicId>(random_() % 3),
                     static_cast<std::uint16_t>(random_() % 4), ++seqs_};
    lease.written = random_() % 4 == 0;
    const std::size_t holder = random_() % holders;
    model_[lease.token] = {lease.token, lease.job.ref, holder};
    if (!lease.written) unwritten_.push_back(lease.token);
    table_.add(std::move(lease), holder_[holder]);
  }

  void take() {
    auto at = model_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % model_.size()));
    const Held held = at->second;
    Lease* found = random_() % 2 == 0 ? table_.find(held.token) : table_.find(held.ref);
    ASSERT_NE(found, nullptr);
    const Lease lease = table_.take(*found, holder_[held.holder]);
    EXPECT_EQ(lease.token, held.token);
    EXPECT_EQ(lease.job.ref, held.ref);
    std::erase(unwritten_, held.token);
    model_.erase(at);
  }

  void write_first() {
    Lease* first = table_.first_unwritten();
    if (unwritten_.empty()) {
      EXPECT_EQ(first, nullptr);
      return;
    }
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->token, unwritten_.front());
    table_.mark_written(*first);
    unwritten_.pop_front();
  }

  void compare() {
    ASSERT_EQ(table_.size(), model_.size());
    for (std::size_t i = 0; i < holders; ++i) {
      std::vector<Token> tokens;
      for (auto at = model_.rbegin(); at != model_.rend(); ++at) {
        if (at->second.holder == i) tokens.push_back(at->first);
      }
      EXPECT_EQ(table_.tokens_of(holder_[i]), tokens);
      EXPECT_EQ(holder_[i].count, tokens.size());
    }
    for (const auto& [token, held] : model_) {
      ASSERT_EQ(table_.find(held.ref), table_.find(token));
      ASSERT_NE(table_.find(token), nullptr);
    }
  }

  std::mt19937 random_{11};
  Token tokens_ = 0;
  std::uint64_t seqs_ = 0;
  LeaseTable table_;
  LeaseTable::Holder holder_[holders];
  std::map<Token, Held> model_;
  std::deque<Token> unwritten_;
};

TEST_F(LeaseModel, FindsListsAndForgetsAsTheModelDoes) {
  for (int i = 0; i < 6'000; ++i) {
    const bool grow = i / 1'000 % 2 == 0 ? random_() % 3 != 0 : random_() % 3 == 0;
    if (grow || model_.empty()) {
      add();
    } else {
      take();
    }
    if (random_() % 3 == 0) write_first();
    EXPECT_EQ(table_.find(tokens_ + 1), nullptr);
    if (i % 50 == 0) compare();
  }
  while (!model_.empty()) take();
  compare();
  EXPECT_EQ(table_.first_unwritten(), nullptr);
}

TEST_F(LeaseModel, ALeaseStaysWhereItIs) {
  add();
  Lease* first = table_.find(Token{1});
  for (int i = 0; i < 1'000; ++i) add();
  EXPECT_EQ(table_.find(Token{1}), first);
}

}  // namespace
}  // namespace millrace::core
