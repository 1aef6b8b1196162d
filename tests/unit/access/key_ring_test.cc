// The folder of keys as a running broker sees it: files that come, change and go, and those that do
// not count.
#include "access/key_ring.h"
#include "access/key_file.h"
#include "access/key_text.h"
#include "access/secret_file.h"
#include "temporary_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace millrace::access {
namespace {

Key made(const std::string& name) {
  Key key;
  key.name = name;
  key.public_key = new_key_pair().public_key;
  key.may = {Role::work};
  key.topics = {"mail.*"};
  return key;
}

// Files under the name of a key, and a ring whose news can be waited for.
class Keys : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return folder_.path + "/" + name + ".toml";
  }
  void put(const Key& key) const { put(key.name, write_key(key)); }
  void put(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(replace_file(path(name), text, 0644));
  }

  void start() {
    ring_ = std::make_unique<KeyRing>(
        folder_.path,
        [this](const KeyTable& now, const KeyTable& before) {
          const std::lock_guard lock(mutex_);
          news_.emplace_back(now, before);
          came_.notify_all();
        },
        std::chrono::milliseconds(5));
    (void)next();
  }
  // The next change: what is there now, and what was before.
  std::pair<KeyTable, KeyTable> next() {
    std::unique_lock lock(mutex_);
    const bool came =
        came_.wait_for(lock, std::chrono::seconds(30), [this] { return taken_ < news_.size(); });
    EXPECT_TRUE(came) << "the ring did not see the change";
    return came ? news_[taken_++] : std::pair<KeyTable, KeyTable>{};
  }
  // Changes may be seen one by one or together: the first state with so many keys.
  KeyTable until(std::size_t keys, std::size_t errors = 0) {
    for (;;) {
      const auto now = next().first;
      if (::testing::Test::HasFailure()) return now;
      if (now.by_name.size() == keys && now.errors.size() == errors) return now;
    }
  }

  TemporaryFolder folder_;
  std::unique_ptr<KeyRing> ring_;

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable came_;
  std::vector<std::pair<KeyTable, KeyTable>> news_;
  std::size_t taken_ = 0;
};

TEST_F(Keys, AreSeenWhenTheyComeChangeAndGo) {
  const Key one = made("one"), two = made("two");
  put(one);
  start();
  KeyLookup lookup(ring_.get());
  ASSERT_NE(ring_->by_public_key(one.public_key), nullptr);
  EXPECT_EQ(lookup.by_public_key(one.public_key)->name, "one");
  EXPECT_EQ(lookup.by_public_key(two.public_key), nullptr);

  put(two);
  (void)until(2);
  EXPECT_EQ(lookup.by_public_key(two.public_key)->name, "two");

  Key revoked = one;
  revoked.revoked_ms = 1'700'000'000'000;
  put(revoked);
  (void)next();
  EXPECT_EQ(lookup.by_public_key(one.public_key)->revoked_ms, revoked.revoked_ms);

  std::filesystem::remove(path("one"));
  const auto [now, before] = next();
  EXPECT_EQ(now.by_name.count("one"), 0U);
  EXPECT_EQ(before.by_name.count("one"), 1U);
  EXPECT_EQ(lookup.by_public_key(one.public_key), nullptr);
  EXPECT_EQ(lookup.by_public_key(two.public_key)->name, "two");
}

TEST_F(Keys, AChangeOfTheSameLengthIsSeen) {
  Key key = made("one");
  key.topics = {"aaaa"};
  put(key);
  start();
  key.topics = {"bbbb"};
  put(key);
  EXPECT_EQ(next().first.by_name.at("one")->topics, key.topics);
}

TEST_F(Keys, AFileWithAMistakeCountsAsAbsentAndTheOthersCount) {
  const Key one = made("one"), two = made("two");
  put(one);
  put(two);
  start();
  put("one", write_key(one) + "more = 1\n");
  const auto now = until(1, 1);
  EXPECT_EQ(now.errors[0].rfind(path("one") + ":5:1: unknown key 'more'", 0), 0U) << now.errors[0];
  EXPECT_EQ(ring_->by_public_key(one.public_key), nullptr);
  EXPECT_NE(ring_->by_public_key(two.public_key), nullptr);
  put(one);
  (void)until(2);
}

TEST_F(Keys, ATokenIsFoundByItselfAndNotByItsHash) {
  Key key = made("one");
  key.public_key.clear();
  const std::string token = new_token();
  key.token_sha256 = sha256_hex(token);
  put(key);
  start();
  ASSERT_NE(ring_->by_token(token), nullptr);
  EXPECT_EQ(ring_->by_token(token)->name, "one");
  EXPECT_EQ(ring_->by_token(key.token_sha256), nullptr);
  EXPECT_EQ(ring_->by_token(""), nullptr);
  // A key without a public key is not that of connections without one.
  EXPECT_EQ(ring_->by_public_key(""), nullptr);
}

// Who can write the file can give himself any role.
TEST_F(Keys, AFileOrAFolderThatEverybodyCanChangeDoesNotCount) {
  const Key one = made("one"), two = made("two");
  put(one);
  put(two);
  start();
  ASSERT_EQ(::chmod(path("one").c_str(), 0646), 0);
  EXPECT_EQ(until(1, 1).errors[0],
            path("one") +
                " can be changed by every user of this machine, so it does not count: "
                "run chmod o-w on it");
  ASSERT_EQ(::chmod(path("one").c_str(), 0644), 0);
  (void)until(2);
  ASSERT_EQ(::chmod(folder_.path.c_str(), 0777), 0);
  EXPECT_EQ(until(0, 1).errors[0],
            folder_.path +
                " can be changed by every user of this machine, so it does not count: "
                "run chmod o-w on it");
  // The sentence says what to do, and it helps without a restart.
  ASSERT_EQ(::chmod(folder_.path.c_str(), 0755), 0);
  (void)until(2);
}

TEST_F(Keys, OfTwoFilesWithOneSecretTheFirstCountsAndTheOtherIsTold) {
  const Key one = made("one");
  Key copy = one;
  copy.name = "two";
  copy.may = {Role::admin};
  put(one);
  put(copy);
  Key token = made("three");
  token.public_key.clear();
  token.token_sha256 = std::string(64, 'a');
  put(token);
  token.name = "zero";
  put(token);
  const auto table = read_keys(folder_.path);
  EXPECT_EQ(table.by_name.size(), 2U);
  EXPECT_EQ(table.by_public_key.at(one.public_key)->name, "one");
  EXPECT_EQ(table.errors,
            (std::vector<std::string>{
                path("two") + " has the same public_key as one.toml, so it does not count: make a "
                              "key for each with millrace keys new",
                path("zero") + " has the same token_sha256 as three.toml, so it does not count: "
                               "make a key for each with millrace keys new"}));
}

TEST_F(Keys, OtherFilesOfTheFolderAreLeftAlone) {
  put(made("one"));
  for (const char* name : {"README", "one.toml~", ".one.toml", "one.toml.new", "a.key"}) {
    ASSERT_TRUE(replace_file(folder_.path + "/" + name, "no key", 0644));
  }
  const auto table = read_keys(folder_.path);
  EXPECT_EQ(table.by_name.size(), 1U);
  EXPECT_TRUE(table.errors.empty()) << table.errors[0];
}

TEST_F(Keys, WhatIsNoFileOrTooLargeDoesNotCountAndHoldsNobodyUp) {
  put("large", write_key(made("large")) + std::string(64U << 10, ' '));
  std::filesystem::create_directory(path("folder"));
  std::filesystem::create_symlink("/nowhere", path("nowhere"));
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0644), 0);  // nobody writes into it
  const auto table = read_keys(folder_.path);
  EXPECT_TRUE(table.by_name.empty());
  EXPECT_EQ(table.errors, (std::vector<std::string>{
                              path("folder") + " is not a file, so it does not count",
                              path("large") + " is larger than 64 KiB: it is no key file",
                              path("nowhere") + ": cannot be read: No such file or directory",
                              path("pipe") + " is not a file, so it does not count"}));
  const auto none = read_keys(folder_.path + "/none");
  EXPECT_EQ(none.errors, std::vector{folder_.path + "/none: the folder of keys cannot be read: No "
                                                    "such file or directory"});
}

TEST(KeyLookups, WithoutARingKnowNoKey) {
  KeyLookup lookup(nullptr);
  EXPECT_EQ(lookup.by_public_key("x"), nullptr);
}

}  // namespace
}  // namespace millrace::access
