// Upgrades of a file's schema on a disk whose power goes at every operation: the old schema or the
// new one, never something between, and no row lost.
#include "storage/sqlite_handle.h"
#include "storage/sqlite_store.h"

#include "sim_disk.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <array>
#include <optional>
#include <string>

namespace millrace::storage {
namespace {

using testing::SimDisk;

constexpr const char* path = "/s.db";
constexpr std::uint64_t jobs = 40;

const std::span<const char* const> all_ones = migrations();
const std::span<const char* const> old_ones = all_ones.first(1);

const auto newest = static_cast<std::int64_t>(migrations().size());

std::string numbers() {
  std::string text = "1";
  for (std::uint64_t seq = 2; seq <= jobs; ++seq) text += "," + std::to_string(seq);
  return text;
}

std::unique_ptr<Store> open_at(SimDisk& disk, std::span<const char* const> scripts,
                               std::optional<Failure>* refused = nullptr) {
  auto opened = open_sqlite({.path = path, .files = &disk, .migrations = scripts});
  if (opened) return std::move(*opened);
  if (refused != nullptr) *refused = opened.error();
  return nullptr;
}

// A file of the first schema, as an old version left it: this version cannot write one.
void fill(SimDisk& disk) {
  sqlite3* opened = nullptr;
  ASSERT_EQ(sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, disk.vfs()),
            SQLITE_OK);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> db(opened, sqlite3_close_v2);
  const std::string script =
      "PRAGMA journal_mode=WAL; BEGIN;" + std::string(migrations().front()) +
      "PRAGMA application_id=" + std::to_string(0x4d494c4c) + "; PRAGMA user_version=1;" +
      "INSERT INTO topics VALUES (1,'t',0,1,25,0,0,0,0,0,0,0);"
      "INSERT INTO partitions VALUES (0,1,0,41,40,0,0,0,40,0,0,0,0);"
      "INSERT INTO jobs SELECT 5 << 39 | value, 2, 0, 25, 0, 1, NULL, NULL, NULL, NULL, "
      "randomblob(400) FROM json_each('[" +
      numbers() + "]'); COMMIT";
  ASSERT_EQ(sqlite3_exec(db.get(), script.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db.get());
  disk.sync_folder_of(path);
}

std::int64_t schema_of(SimDisk& disk) {
  auto db = Database::open(path, true, disk.vfs());
  return db ? db->number("PRAGMA user_version").value_or(-1) : -1;
}

std::size_t jobs_in(Store& store) {
  std::size_t found = 0;
  EXPECT_TRUE(store.recover());
  store.load(core::LoadReady{{1, 0}, core::priority_default, 0, 2 * jobs, 1 << 20},
             [&found](auto answer) {
               ASSERT_TRUE(answer);
               found = std::get<core::ReadyLoaded>(*answer).jobs.size();
             });
  return found;
}

TEST(Upgrade, PowerThatGoesAtAnyOperationLeavesTheOldSchemaOrTheNew) {
  std::uint64_t olds = 0, news = 0;
  for (std::uint64_t at = 1; at < 200; ++at) {
    SimDisk disk("upgrade", at);
    fill(disk);
    disk.cut_power_in(at);
    auto store = open_at(disk, all_ones);
    const bool whole = store != nullptr && !disk.off();
    disk.cut_power();
    store.reset();
    disk.power_loss();

    const std::int64_t schema = schema_of(disk);
    ++(schema == 1 ? olds : news);
    EXPECT_TRUE(schema == 1 || schema == newest) << "operation " << at << ": " << schema;
    std::optional<Failure> refused;
    store = open_at(disk, all_ones, &refused);
    ASSERT_NE(store, nullptr) << "operation " << at << ": " << refused->message;
    EXPECT_EQ(jobs_in(*store), jobs) << "operation " << at;
    const auto reader = store->reader();
    ASSERT_TRUE(reader);
    EXPECT_EQ((*reader)->check([] { return false; }).value(), "ok");
    if (whole) break;
  }
  EXPECT_GT(olds, 0U);
  EXPECT_GT(news, 0U);
}

TEST(Upgrade, ANewerSchemaIsRefusedAndSaysWhatToDo) {
  SimDisk disk("upgrade", 1);
  fill(disk);
  ASSERT_NE(open_at(disk, all_ones), nullptr);
  const std::uint64_t before = disk.digest();
  std::optional<Failure> refused;
  EXPECT_EQ(open_at(disk, old_ones, &refused), nullptr);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, FailureKind::too_new);
  EXPECT_NE(refused->message.find("run the newer millraced"), std::string::npos);
  EXPECT_EQ(disk.digest(), before);
}

// A script that fails half-way leaves nothing of itself.
TEST(Upgrade, AMigrationThatFailsIsUndoneWhole) {
  const std::array<const char*, 2> broken = {
      migrations().front(), "CREATE TABLE half (id INTEGER PRIMARY KEY) STRICT; SELECT no_such();"};
  SimDisk disk("upgrade", 1);
  fill(disk);
  std::optional<Failure> refused;
  EXPECT_EQ(open_at(disk, broken, &refused), nullptr);
  EXPECT_TRUE(refused);
  EXPECT_EQ(schema_of(disk), 1);
  const auto store = open_at(disk, all_ones);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(jobs_in(*store), jobs);
}

}  // namespace
}  // namespace millrace::storage
