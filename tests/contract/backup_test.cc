// Backups as files: the copied rows, the damage that verify detects, and the state that a restored
// broker starts with. tests/backup uses real processes.
#include "storage/backup/contents.h"
#include "storage/backup/make.h"
#include "storage/backup/restore.h"
#include "storage/backup/verify.h"

#include "store_kit.h"

#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

core::ChangeSet jobs_of(std::uint64_t count) {
  core::ChangeSet changes;
  core::Topic topic;
  topic.id = 1;
  topic.name = "t";
  changes.topics.push_back(topic);
  for (std::uint64_t seq = 1; seq <= count; ++seq) {
    core::Job job;
    job.ref = {1, 0, seq};
    job.payload = core::Bytes(std::string(2'000, 'x'));
    changes.inserts.push_back(job);
  }
  changes.partitions.push_back({{1, 0}, {.next_seq = count + 1, .live = count, .enqueued = count}});
  return changes;
}

class Backup : public ::testing::Test, protected WithStore {
 protected:
  void SetUp() override {
    make_folder();
    fs::create_directory(folder_ + "/data");
    path_ = folder_ + "/data/shard-0.db";
    reopen();
  }
  void TearDown() override {
    store_.reset();
    remove_folder();
  }

  [[nodiscard]] BackupPlan plan() const {
    return {.shards = {{.path = folder_ + "/data/shard-0.db"}},
            .folder = folder_ + "/backups",
            .version = "test"};
  }
  Expected<Manifest> make(const std::string& name) {
    if (auto may = may_begin(plan(), name); !may) return tl::unexpected(may.error());
    return make_backup(plan(), name, {[] { return false; }, [](const BackupProgress&) {}});
  }
  [[nodiscard]] std::string backup(const std::string& name) const {
    return folder_ + "/backups/" + name;
  }
  [[nodiscard]] std::size_t entries() const {
    const auto all = fs::directory_iterator(folder_ + "/backups");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
};

TEST_F(Backup, ShowsWhatWasCommittedAndIsSoundBesideTheWriter) {
  commit(jobs_of(5'000));
  const auto made = make("b");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->shards.at(0).contents.jobs, 5'000U);
  EXPECT_EQ(made->shards.at(0).contents.sequences, (std::vector<NextSequence>{{"t", 0, 5'001}}));
  const Verdict verdict = verify_backup(backup("b"));
  EXPECT_TRUE(verdict.sound()) << verdict.wrongs.front();
  EXPECT_TRUE(check_shard(folder_ + "/data/shard-0.db").wrongs.empty());
}

TEST_F(Backup, OneThatIsGivenUpLeavesNothing) {
  commit(jobs_of(5'000));
  ASSERT_TRUE(may_begin(plan(), "b"));
  int looks = 0;
  const auto made =
      make_backup(plan(), "b", {[&looks] { return ++looks > 3; }, [](const BackupProgress&) {}});
  ASSERT_FALSE(made);
  EXPECT_EQ(entries(), 1U);  // the lock
}

TEST_F(Backup, KeepsTheNewestOfASeriesAndNothingElseIsRemoved) {
  for (const char* name : {"n-1", "n-2", "n-3", "other-1", "n"}) ASSERT_TRUE(make(name)) << name;
  fs::create_directory(backup("n-4"));  // no backup: it has no manifest
  const auto removed = remove_old(folder_ + "/backups", "n", 1);
  ASSERT_TRUE(removed);
  EXPECT_EQ(*removed, (std::vector<std::string>{"n-2", "n-1"}));
  for (const char* name : {"n-3", "other-1", "n", "n-4"}) EXPECT_TRUE(fs::exists(backup(name)));
  EXPECT_EQ(series_of("nightly-2026-01"), "nightly-2026");
  EXPECT_EQ(newest_backup(folder_ + "/backups")->name, "n");
}

TEST_F(Backup, NamesThatCannotBeAndNamesThatAreTakenAreRefused) {
  for (const char* name : {"", ".x", "a/b", "a b", "..", "-a"}) {
    const auto made = make(name);
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error().kind, FailureKind::not_ours) << name;
  }
  ASSERT_TRUE(make("b"));
  const auto again = make("b");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, FailureKind::busy);
}

TEST_F(Backup, WhatWouldFillTheDiskIsRefused) {
  BackupPlan full = plan();
  full.disk_free_bytes_min = std::uint64_t{1} << 60U;
  const auto may = may_begin(full, "b");
  ASSERT_FALSE(may);
  EXPECT_EQ(may.error().kind, FailureKind::no_space);
}

TEST_F(Backup, ADamagedPageOfTheSourceEndsTheBackup) {
  commit(jobs_of(5'000));
  store_.reset();  // all of it is in the file now
  std::fstream file(folder_ + "/data/shard-0.db", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(500 * 4'096 + 100);
  file << "damage";
  file.close();
  const auto made = make("b");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, FailureKind::damaged);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Backup, AManifestThatSaysSomethingElseIsSeen) {
  ASSERT_TRUE(make("b"));
  const std::string path = backup("b") + "/" + manifest_file;
  std::ifstream in(path);
  std::string text(std::istreambuf_iterator<char>(in), {});
  text.replace(text.find("\"test\""), 6, "\"tost\"");
  std::ofstream(path) << text;
  const Verdict verdict = verify(backup("b"));
  EXPECT_FALSE(verdict.sound());
  EXPECT_EQ(restore(backup("b"), folder_ + "/new", false, 0).end, RestoreEnd::damaged);
  EXPECT_FALSE(fs::exists(folder_ + "/new"));
}

TEST_F(Backup, CountersThatDoNotFitTheirRowsAreSeen) {
  auto changes = jobs_of(3);
  changes.partitions.at(0).counts.live = 4;
  commit(std::move(changes));
  const SoundFile sound = check_shard(folder_ + "/data/shard-0.db");
  ASSERT_EQ(sound.wrongs.size(), 1U);
  EXPECT_NE(sound.wrongs.front().find("t/0 counts 4 live"), std::string::npos);
}

TEST_F(Backup, ANextNumberThatIsTakenIsSeen) {
  auto changes = jobs_of(3);
  changes.partitions.at(0).counts.next_seq = 3;
  commit(std::move(changes));
  const SoundFile sound = check_shard(folder_ + "/data/shard-0.db");
  ASSERT_EQ(sound.wrongs.size(), 1U);
  EXPECT_NE(sound.wrongs.front().find("would give number 3 next"), std::string::npos);
}

TEST_F(Backup, ARestoreMovesEverythingOnThatWasEverHandedOut) {
  auto changes = jobs_of(2);
  changes.sessions_put.push_back({core::SessionId{7}, "w"});
  changes.leases_put.push_back({{{1, 0, 1}}, core::SessionId{7}, core::Token{9}, 1});
  commit(std::move(changes));
  const std::uint64_t epoch = store_->epoch();
  const auto made = make("b");
  ASSERT_TRUE(made) << made.error().message;
  const Restored restored = restore(backup("b"), folder_ + "/new", false, made->made_ms + 60'000);
  ASSERT_EQ(restored.end, RestoreEnd::done) << restored.wrongs.front();
  auto opened = open_sqlite({.path = folder_ + "/new/shard-0.db"});
  ASSERT_TRUE(opened) << opened.error().message;
  const auto recovered = (*opened)->recover();
  ASSERT_TRUE(recovered);
  EXPECT_EQ((*opened)->epoch(), epoch + epoch_gap + 1);
  ASSERT_EQ(recovered->partitions.size(), 1U);
  EXPECT_EQ(recovered->partitions.at(0).counts.next_seq, 3 + seq_gap_min);
  EXPECT_EQ(recovered->partitions.at(0).counts.live, 2U);
  EXPECT_EQ(recovered->first_seq, 1 + seq_gap_min);
  EXPECT_TRUE(recovered->sessions.empty());
  EXPECT_TRUE(recovered->leases.empty());
}

TEST_F(Backup, TheGapGrowsWithTheTimeThatIsLost) {
  EXPECT_EQ(seq_gap(-5), seq_gap_min);
  EXPECT_EQ(seq_gap(60'000), seq_gap_min);
  EXPECT_EQ(seq_gap(86'400'000), 9 * seq_gap_min);
  EXPECT_EQ(seq_gap(std::int64_t{1} << 60U), seq_gap_max);
}

TEST_F(Backup, ARestoreRefusesAFolderThatABrokerHolds) {
  ASSERT_TRUE(make("b"));
  const Restored refused = restore(backup("b"), folder_ + "/data", true, 0);
  EXPECT_EQ(refused.end, RestoreEnd::not_free);
}

}  // namespace
}  // namespace millrace::storage
