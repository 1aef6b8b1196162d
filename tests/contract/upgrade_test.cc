// Upgrades of a file's schema on a disk that fails: the old schema or the newest, never something
// between, and no row lost. And files as older versions left them.
#include "storage/checked_vfs.h"
#include "storage/sqlite_store.h"
#include "store_kit.h"

#include "sim_disk.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <array>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>

namespace millrace::storage {
namespace {

using testing::DiskFault;
using testing::SimDisk;

constexpr std::uint64_t jobs = 40;
constexpr std::size_t rows_only = 1'000;  // no packs: the steps below change rows of jobs

// A later version, two steps ahead; the first step writes every row.
const std::array<const char*, 3> with_next = {
    "",
    "ALTER TABLE jobs ADD COLUMN extra INTEGER NOT NULL DEFAULT 7;"
    "UPDATE jobs SET extra = id; CREATE INDEX jobs_extra ON jobs (extra);",
    "CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT; INSERT INTO more SELECT id FROM jobs;"};

// All real migrations as one step, then the two.
struct Versions {
  Versions() {
    for (const char* script : migrations()) all += script;
    later = with_next;
    later.front() = all.c_str();
  }
  [[nodiscard]] std::span<const char* const> old_ones() const { return {later.data(), 1}; }
  std::string all;
  std::array<const char*, 3> later{};
};
const Versions versions;

std::unique_ptr<Store> open_at(SimDisk& disk, std::span<const char* const> scripts,
                               std::optional<Failure>* refused = nullptr) {
  auto opened = open_sqlite(
      {.path = path, .pack_jobs_min = rows_only, .files = &disk, .migrations = scripts});
  if (opened) return std::move(*opened);
  if (refused != nullptr) *refused = opened.error();
  return nullptr;
}

void fill(SimDisk& disk) {
  const auto store = open_at(disk, versions.old_ones());
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(store->recover());
  core::ChangeSet changes;
  changes.topics.push_back({1, "t", {}, false});
  for (std::uint64_t seq = 1; seq <= jobs; ++seq) {
    core::Job job;
    job.ref = {1, 0, seq};
    job.payload = std::string(400, 'x');
    changes.inserts.push_back(job);
  }
  changes.partitions.push_back({{1, 0}, {.next_seq = jobs + 1, .live = jobs, .enqueued = jobs}});
  store->commit(std::move(changes), [](auto answer) { ASSERT_TRUE(answer); });
}

std::size_t jobs_after_recovery(Store& store) {
  std::size_t found = 0;
  EXPECT_TRUE(store.recover());
  store.load(core::LoadReady{{1, 0}, core::priority_default, 0, 2 * jobs, 1 << 20},
             [&found](auto answer) {
               ASSERT_TRUE(answer);
               found = std::get<core::ReadyLoaded>(*answer).jobs.size();
             });
  return found;
}

std::string ask(SimDisk& disk, const char* sql) {
  sqlite3* opened = nullptr;
  // As the store does, so that its log stays what it was left as.
  const std::string vfs = checked_vfs(disk.vfs());
  EXPECT_EQ(sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs.c_str()),
            SQLITE_OK);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> db(opened, sqlite3_close_v2);
  std::string answer;
  const auto take = [](void* to, int count, char** values, char**) {
    for (int i = 0; i < count; ++i) {
      *static_cast<std::string*>(to) += std::string(values[i] == nullptr ? "-" : values[i]) + "\n";
    }
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(db.get(), sql, take, &answer, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db.get());
  return answer;
}

// The number and all that it stands for.
std::string schema_of(SimDisk& disk) {
  return ask(disk, "PRAGMA user_version; SELECT name, sql FROM sqlite_schema ORDER BY name");
}

// An upgrade in which something happens at its `at`th operation. True: it was over before.
using Happens = std::function<void(SimDisk&, std::uint64_t at)>;
void upgrade_at_every_operation(const Happens& arm, const Happens& end) {
  SimDisk old_disk("upgrade-old", 1), new_disk("upgrade-new", 1);
  fill(old_disk);
  fill(new_disk);
  ASSERT_NE(open_at(new_disk, versions.later), nullptr);
  const std::string old_schema = schema_of(old_disk), new_schema = schema_of(new_disk);
  ASSERT_NE(old_schema, new_schema);

  std::uint64_t olds = 0, news = 0;
  bool whole = false;
  for (std::uint64_t at = 1; !whole; ++at) {
    ASSERT_LT(at, 300U);
    SimDisk disk("upgrade", at);
    fill(disk);
    arm(disk, at);
    auto store = open_at(disk, versions.later);
    whole = store != nullptr && !disk.off() && !disk.failed();
    disk.cut_power();
    store.reset();
    end(disk, at);

    const std::string found = schema_of(disk);
    ASSERT_TRUE(found == old_schema || found == new_schema) << "operation " << at << ": " << found;
    ++(found == old_schema ? olds : news);
    store = open_at(disk, versions.later);
    ASSERT_NE(store, nullptr) << "operation " << at;
    EXPECT_EQ(jobs_after_recovery(*store), jobs) << "operation " << at;
    const auto reader = store->reader();
    ASSERT_TRUE(reader);
    EXPECT_EQ((*reader)->check([] { return false; }).value(), "ok");
  }
  EXPECT_GT(olds, 0U);
  EXPECT_GT(news, 0U);
}

const Happens cut = [](SimDisk& disk, std::uint64_t at) { disk.cut_power_in(at); };
const Happens power_loss = [](SimDisk& disk, std::uint64_t) { disk.power_loss(); };
const Happens process_death = [](SimDisk& disk, std::uint64_t) { disk.process_crash(); };

TEST(Upgrade, PowerThatGoesAtAnyOperationLeavesTheOldSchemaOrTheNewest) {
  upgrade_at_every_operation(cut, power_loss);
}

TEST(Upgrade, AProcessThatDiesAtAnyOperationLeavesTheOldSchemaOrTheNewest) {
  upgrade_at_every_operation(cut, process_death);
}

TEST(Upgrade, AWriteOrSyncThatFailsLeavesTheOldSchemaOrTheNewest) {
  for (const DiskFault fault :
       {DiskFault::io_error, DiskFault::no_space, DiskFault::short_write, DiskFault::lost_sync}) {
    upgrade_at_every_operation(
        [fault](SimDisk& disk, std::uint64_t at) { disk.fail_in(at, fault); },
        [](SimDisk& disk, std::uint64_t at) {
          at % 2 == 0 ? disk.process_crash() : disk.power_loss();
        });
  }
}

TEST(Upgrade, ANewerSchemaIsRefusedAndSaysWhatToDo) {
  SimDisk disk("upgrade", 1);
  fill(disk);
  ASSERT_NE(open_at(disk, versions.later), nullptr);
  const std::uint64_t before = disk.digest();
  std::optional<Failure> refused;
  EXPECT_EQ(open_at(disk, versions.old_ones(), &refused), nullptr);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, FailureKind::too_new);
  EXPECT_NE(refused->message.find("run the newer millraced"), std::string::npos);
  EXPECT_EQ(disk.digest(), before);
}

// A script that fails half-way leaves nothing of itself, nor of those before it.
TEST(Upgrade, AMigrationThatFailsIsUndoneWhole) {
  auto broken = versions.later;
  broken.back() = "CREATE TABLE half (id INTEGER PRIMARY KEY) STRICT; SELECT no_such();";
  SimDisk disk("upgrade", 1);
  fill(disk);
  const std::string before = schema_of(disk);
  std::optional<Failure> refused;
  EXPECT_EQ(open_at(disk, broken, &refused), nullptr);
  EXPECT_TRUE(refused);
  EXPECT_EQ(schema_of(disk), before);
  const auto store = open_at(disk, versions.old_ones());
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(jobs_after_recovery(*store), jobs);
}

// A file of each version that was given out has its rows, and in the end the schema of a new one.
// A schema that was given out is therefore changed by a further migration only.
TEST(Upgrade, AFileOfEveryOlderVersionIsBroughtUpToDate) {
  for (std::size_t version = 1; version <= migrations().size(); ++version) {
    std::ifstream in(MILLRACE_SCHEMAS "/" + std::to_string(version) + ".sql");
    ASSERT_TRUE(in) << "tests/contract/schemas/make " << version << " writes the file";
    std::stringstream script;
    script << in.rdbuf();
    SimDisk disk("older", 1), fresh("fresh", 1);
    ask(disk, script.str().c_str());
    constexpr const char* rows =
        "SELECT group_concat(id) FROM jobs; SELECT group_concat(id) FROM finished;"
        "SELECT group_concat(key || state || headers || payload) FROM jobs;"
        "SELECT group_concat(reason || error || worker || result) FROM finished;"
        "SELECT group_concat(next_seq || live || dead || died) FROM partitions;"
        "SELECT group_concat(name || paused || partitions || history) FROM topics;"
        "SELECT group_concat(hex(id) || name) FROM sessions;"
        "SELECT group_concat(id || hex(session) || token) FROM leases;"
        "SELECT group_concat(hex(id) || epoch || hex(answers)) FROM producers";
    const std::string before = ask(disk, rows);
    {
      const auto store = open_at(disk, migrations());
      ASSERT_NE(store, nullptr);
      const auto recovered = store->recover();
      ASSERT_TRUE(recovered);
      EXPECT_EQ(store->epoch(), 2U);
      EXPECT_EQ(recovered->topics.size(), 1U);
      EXPECT_EQ(recovered->partitions.size(), 2U);
      EXPECT_EQ(recovered->sessions.size(), 1U);
      EXPECT_EQ(recovered->leases.size(), 1U);
      EXPECT_EQ(recovered->producers.size(), 1U);
      EXPECT_EQ(recovered->requests.size(), version < 7 ? 0U : 1U);
    }
    EXPECT_EQ(ask(disk, rows), before);
    ASSERT_NE(open_at(fresh, migrations()), nullptr);
    EXPECT_EQ(schema_of(disk), schema_of(fresh)) << "version " << version;
  }
}

}  // namespace
}  // namespace millrace::storage
