// Upgrades of a file's schema on a disk whose power goes at every operation: the old schema or the
// new one, never something between, and no row lost.
#include "storage/sqlite_store.h"

#include "sim_disk.h"

#include <gtest/gtest.h>
#include <array>
#include <optional>
#include <string>

namespace millrace::storage {
namespace {

using testing::SimDisk;

constexpr const char* path = "/s.db";
constexpr std::uint64_t jobs = 40;

const std::array<const char*, 2> with_next = {
    migrations().front(),
    "ALTER TABLE jobs ADD COLUMN extra INTEGER NOT NULL DEFAULT 7;"
    "CREATE INDEX jobs_extra ON jobs (extra); CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT;"};
const std::span<const char* const> old_ones(with_next.data(), 1);

std::unique_ptr<Store> open_at(SimDisk& disk, std::span<const char* const> scripts,
                               std::optional<Failure>* refused = nullptr) {
  auto opened = open_sqlite({.path = path, .files = &disk, .migrations = scripts});
  if (opened) return std::move(*opened);
  if (refused != nullptr) *refused = opened.error();
  return nullptr;
}

void fill(SimDisk& disk) {
  const auto store = open_at(disk, old_ones);
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
    auto store = open_at(disk, with_next);
    const bool whole = store != nullptr && !disk.off();
    disk.cut_power();
    store.reset();
    disk.power_loss();

    std::optional<Failure> refused;
    store = open_at(disk, old_ones, &refused);
    ++(store != nullptr ? olds : news);
    if (store == nullptr) {
      ASSERT_TRUE(refused);
      EXPECT_EQ(refused->kind, FailureKind::too_new) << refused->message;
    } else {
      EXPECT_EQ(jobs_in(*store), jobs);
    }
    store.reset();
    store = open_at(disk, with_next);
    ASSERT_NE(store, nullptr) << "operation " << at;
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
  ASSERT_NE(open_at(disk, with_next), nullptr);
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
  const auto store = open_at(disk, old_ones);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(jobs_in(*store), jobs);
}

}  // namespace
}  // namespace millrace::storage
