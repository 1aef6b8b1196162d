// Guarantees of the SQLite store only: one owner, clear refusals, and acknowledged commits that
// survive kill -9.
#include "storage/columns.h"
#include "storage/sqlite_handle.h"
#include "storage/sqlite_store.h"

#include "store_kit.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

class SqliteFile : public ::testing::Test, protected InFolder {
 protected:
  void SetUp() override { make_folder(); }
  void TearDown() override { remove_folder(); }
  FailureKind refused() {
    auto opened = open_sqlite({.path = path_});
    EXPECT_FALSE(opened);
    if (opened) return FailureKind::io;
    EXPECT_FALSE(opened.error().message.empty());
    return opened.error().kind;
  }
  void make() { ASSERT_TRUE(open_sqlite({.path = path_})); }
  void overwrite(std::streamoff at, const std::string& bytes) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file << bytes;
  }
};

core::ChangeSet one_job(std::uint64_t seq) {
  core::ChangeSet changes;
  core::Job job;
  job.ref = {1, 0, seq};
  job.payload = core::Bytes(std::string(256, 'x'));
  changes.inserts.push_back(job);
  changes.partitions.push_back({{1, 0}, {.next_seq = seq + 1, .live = seq}});
  return changes;
}

// What a list leaves out no statement writes or reads.
TEST_F(SqliteFile, EveryColumnOfTheSchemaStandsInAListAndTheOtherWayRound) {
  make();
  auto db = Database::open(path_, true, nullptr);
  ASSERT_TRUE(db) << db.error().message;
  std::set<std::string> listed;
  const auto list = [&listed](const auto& column, auto /*member*/) {
    EXPECT_TRUE(listed.emplace(column.name).second) << column.name << " stands there twice";
  };
  const auto expect = [&](const std::string& table, std::set<std::string> keys) {
    listed.merge(keys);
    std::set<std::string> found;
    Statement rows(db->get(), "SELECT name FROM pragma_table_info('" + table + "')");
    while (rows.row()) found.emplace(rows.bytes(0));
    EXPECT_EQ(found, listed) << table;
    listed.clear();
  };
  job_columns(list);
  expect("jobs", {"id"});
  outcome_columns<core::JobFinish>(list);
  end_columns<core::JobFinish>(list);
  given_columns<core::Job>(list);
  expect("finished", {"id", "topic_id"});
  job_columns_shared<Shared::once>(list);
  expect("packs", {"id", "count", "ends", "payloads"});
  topic_columns(list);
  setting_columns(list);
  expect("topics", {});
  count_columns(list);
  expect("partitions", {"slot", "topic_id", "partition"});
}

TEST_F(SqliteFile, TheSizeOfItsLogIsAGaugeOfItsOwn) {
  auto store = open_sqlite({.path = path_});
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->recover());
  const auto log_bytes = [&] {
    const auto gauges = (*store)->facts().gauges;
    EXPECT_EQ(gauges.size(), 1U);
    EXPECT_EQ(gauges.at(0).name, "wal_bytes");
    EXPECT_FALSE(gauges.at(0).help.empty());
    return gauges.at(0).value;
  };
  const auto before = log_bytes();
  (*store)->commit(one_job(1), [](const auto& answer) { EXPECT_TRUE(answer); });
  EXPECT_GT(log_bytes(), before);
  EXPECT_EQ(log_bytes(), fs::file_size(path_ + "-wal"));
}

TEST_F(SqliteFile, ASecondOwnerIsRefused) {
  const auto first = open_sqlite({.path = path_});
  ASSERT_TRUE(first);
  EXPECT_EQ(refused(), FailureKind::busy);
}

TEST_F(SqliteFile, AForeignFileIsRefusedAndLeftAsItWas) {
  std::ofstream(path_) << std::string(4'096, 'z');
  EXPECT_EQ(refused(), FailureKind::not_ours);
  EXPECT_EQ(fs::file_size(path_), 4'096U);
}

TEST_F(SqliteFile, ANewerSchemaIsRefused) {
  std::vector<const char*> newer(migrations().begin(), migrations().end());
  newer.push_back("CREATE TABLE newer (id INTEGER) STRICT;");
  ASSERT_TRUE(open_sqlite({.path = path_, .migrations = newer}));
  EXPECT_EQ(refused(), FailureKind::too_new);
}

TEST_F(SqliteFile, ATruncatedFileIsRefusedAsDamaged) {
  make();
  fs::resize_file(path_, fs::file_size(path_) / 2);
  EXPECT_EQ(refused(), FailureKind::damaged);
}

TEST_F(SqliteFile, AFolderThatIsNotThereIsRefused) {
  path_ = folder_ + "/missing/s.db";
  (void)refused();
}

TEST_F(SqliteFile, TheLogStaysBoundedWhileTheFileGrowsAndIsNeverCut) {
  constexpr std::uint64_t most = 1 << 20;
  auto store = open_sqlite({.path = path_, .wal_bytes_max = most});
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->recover());
  std::uint64_t reached = 0;
  for (std::uint64_t seq = 1; seq <= 3'000; ++seq) {
    (*store)->commit(one_job(seq), [](auto answer) { ASSERT_TRUE(answer); });
    // Nor is it ever cut: it is written over in place, by the writer, and nobody else touches it.
    const std::uint64_t bytes = fs::file_size(path_ + "-wal");
    ASSERT_GE(bytes, std::min(reached, most)) << "after commit " << seq;
    reached = bytes;
  }
  EXPECT_LT(reached, 2 * most);
}

// The child says each sequence number after its commit; whatever was said must be in the file.
TEST_F(SqliteFile, WhatWasAcknowledgedSurvivesKill9) {
  std::uint64_t said = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = open_sqlite({.path = path_, .wal_bytes_max = 256 << 10});
      if (!store || !(*store)->recover()) ::_exit(1);
      for (std::uint64_t seq = said + 1;; ++seq) {
        bool stored = false;
        // A row that was stored but never said may be there already: then it is found by a load.
        (*store)->load(core::LoadJob{1, {1, 0, seq}}, [&](auto answer) {
          stored = answer && std::get<core::JobLoaded>(*answer).job.has_value();
        });
        if (!stored) (*store)->commit(one_job(seq), [&](auto answer) { stored = bool(answer); });
        if (!stored || ::write(pipe_ends[1], &seq, sizeof seq) != sizeof seq) ::_exit(1);
      }
    }
    ::close(pipe_ends[1]);
    const std::uint64_t until = said + 20 + static_cast<std::uint64_t>(round) * 7;
    while (said < until) {
      ASSERT_EQ(::read(pipe_ends[0], &said, sizeof said), static_cast<ssize_t>(sizeof said));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    while (::read(pipe_ends[0], &said, sizeof said) == static_cast<ssize_t>(sizeof said)) {
    }
    ::close(pipe_ends[0]);
    auto store = open_sqlite({.path = path_});
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->recover());
    for (std::uint64_t seq = 1; seq <= said; ++seq) {
      (*store)->load(core::LoadJob{1, {1, 0, seq}}, [&](auto answer) {
        ASSERT_TRUE(answer);
        ASSERT_TRUE(std::get<core::JobLoaded>(*answer).job) << "acknowledged and lost: " << seq;
      });
    }
  }
}

}  // namespace
}  // namespace millrace::storage
