// A file that was damaged or changed while no broker ran: refused with a reason, never read as if
// nothing had happened. tests/faults/bitflip does the same at random; here each kind of damage has
// a name.
#include "storage/page_checksum.h"
#include "storage/sqlite_store.h"

#include "store_kit.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <filesystem>
#include <fstream>
#include <string>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

class Damage : public ::testing::Test, protected InFolder {
 protected:
  void SetUp() override { make_folder(); }
  void TearDown() override { remove_folder(); }

  // A file with jobs. left: as kill -9 leaves it, with all of them in the log alone.
  void make(bool left) {
    const std::string work = folder_ + "/work";
    fs::create_directory(work);
    {
      auto store = open_sqlite({.path = work + "/s.db"});
      ASSERT_TRUE(store);
      ASSERT_TRUE((*store)->recover());
      for (std::uint64_t seq = 1; seq <= 20; ++seq) add_job(**store, seq);
      if (left) copy_from(work);
    }
    if (!left) copy_from(work);
  }
  void copy_from(const std::string& work) {
    for (const char* name : {"/s.db", "/s.db-wal", "/s.db-synced"}) {
      if (fs::exists(work + name)) fs::copy(work + name, folder_ + name);
    }
  }
  static void add_job(Store& store, std::uint64_t seq) {
    core::ChangeSet changes;
    core::Job job;
    job.ref = {1, 0, seq};
    job.payload = core::Bytes(std::string(9'000, 'x'));
    changes.inserts.push_back(job);
    changes.partitions.push_back({{1, 0}, {.next_seq = seq + 1, .live = seq}});
    store.commit(std::move(changes), [](auto answer) { ASSERT_TRUE(answer); });
  }
  static void flip(const std::string& file, std::uint64_t at) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(static_cast<std::streamoff>(at));
    const int was = bytes.get();
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(static_cast<char>(was ^ 1));
  }
  void expect_damaged() {
    const auto opened = open_sqlite({.path = path_});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, FailureKind::damaged) << opened.error().message;
    EXPECT_NE(opened.error().message.find("backup"), std::string::npos);
  }
  // The jobs that can be read; none if that fails, at the start or later.
  std::optional<std::size_t> jobs() {
    auto store = open_sqlite({.path = path_});
    if (!store || !(*store)->recover()) return std::nullopt;
    std::optional<std::size_t> count;
    (*store)->load(core::LoadReady{{1, 0}, core::Job{}.priority, 0, 100, 1 << 20}, [&](auto page) {
      if (page) count = std::get<core::ReadyLoaded>(*page).jobs.size();
    });
    return count;
  }
  void sql(const std::string& path, const std::string& text) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    char* wrong = nullptr;
    EXPECT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, &wrong), SQLITE_OK) << wrong;
    sqlite3_free(wrong);
    sqlite3_close(db);
  }
};

TEST_F(Damage, AFlippedBitOfAPayloadIsAnErrorWhenItIsRead) {
  make(false);
  ASSERT_EQ(jobs(), 20U);
  flip(path_, fs::file_size(path_) - 2'000);  // within a page that holds nothing but payload
  EXPECT_EQ(jobs(), std::nullopt);
}

TEST_F(Damage, TheNumberOfReservedBytesIsPartOfWhatIsChecked) {
  make(false);
  flip(path_, reserved_at);
  expect_damaged();
}

TEST_F(Damage, ALogWhoseMiddleIsDamagedIsRefused) {
  make(true);
  flip(path_ + "-wal", fs::file_size(path_ + "-wal") / 2);
  expect_damaged();
}

TEST_F(Damage, TheLastSyncedCommitIsMissedToo) {
  make(true);
  flip(path_ + "-wal", fs::file_size(path_ + "-wal") - 1);
  expect_damaged();
}

TEST_F(Damage, ATornEndBehindWhatWasSyncedIsWell) {
  make(true);
  std::ofstream(path_ + "-wal", std::ios::app | std::ios::binary) << std::string(3'000, 'z');
  EXPECT_EQ(jobs(), 20U);
}

TEST_F(Damage, ALogThatIsGoneIsMissed) {
  make(true);
  fs::remove(path_ + "-wal");
  expect_damaged();
}

TEST_F(Damage, AFileThatIsCutBesideALogIsAnErrorWhenItIsRead) {
  make(false);
  const std::string left = folder_ + "/left";
  fs::create_directory(left);
  {
    auto store = open_sqlite({.path = path_});
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->recover());
    for (const char* name : {"/s.db", "/s.db-wal", "/s.db-synced"}) {
      fs::copy(folder_ + name, left + name);
    }
  }
  path_ = left + "/s.db";
  fs::resize_file(path_, fs::file_size(path_) - 4'096);
  EXPECT_EQ(jobs(), std::nullopt);
}

TEST_F(Damage, AnEmptiedFileIsNotTakenForANewOne) {
  make(false);
  fs::resize_file(path_, 0);
  expect_damaged();
}

TEST_F(Damage, AMarkThatIsDamagedPromisesNothing) {
  make(true);
  flip(path_ + "-synced", 17);
  EXPECT_EQ(jobs(), 20U);
}

TEST_F(Damage, ACopyByAnotherProgramGetsItsChecksums) {
  make(false);
  fs::create_directory(folder_ + "/backup");
  sql(path_, "VACUUM INTO '" + folder_ + "/backup/s.db'");
  path_ = folder_ + "/backup/s.db";
  EXPECT_EQ(jobs(), 20U);
  flip(path_, fs::file_size(path_) - 2'000);
  EXPECT_EQ(jobs(), std::nullopt);
}

TEST_F(Damage, AFileOfAnOlderVersionStaysAsItIsAndSaysSo) {
  std::string script = std::string("PRAGMA journal_mode=WAL; BEGIN;") + migrations().front();
  sql(path_, script + "PRAGMA application_id=1296649292; PRAGMA user_version=1; COMMIT;");
  {
    auto store = open_sqlite({.path = path_});
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_FALSE((*store)->facts().checksums);
    ASSERT_TRUE((*store)->recover());
    add_job(**store, 1);
  }
  EXPECT_EQ(jobs(), 1U);
  // As docs/operations.md says.
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  int bytes = checksum_bytes;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
  const std::string copy = folder_ + "/new.db";
  EXPECT_EQ(sqlite3_exec(db, ("VACUUM INTO '" + copy + "'").c_str(), nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  path_ = copy;
  EXPECT_EQ(jobs(), 1U);
  EXPECT_TRUE((*open_sqlite({.path = path_}))->facts().checksums);
}

}  // namespace
}  // namespace millrace::storage
