// A store whose disk failed once starts again with every commit that was answered, whatever the
// operation, the failure, and the way in which the process ended.
#include "storage/sqlite_store.h"
#include "store_kit.h"

#include "sim_disk.h"

#include <gtest/gtest.h>
#include <optional>
#include <string>

namespace millrace::storage {
namespace {

using testing::DiskFault;
using testing::SimDisk;

constexpr std::uint64_t operations = 24;  // of at least two commits
constexpr std::uint64_t jobs_max = 20;

std::unique_ptr<Store> open_at(SimDisk& disk) {
  auto opened = open_sqlite({.path = path, .files = &disk});
  EXPECT_TRUE(opened) << opened.error().message;
  if (!opened || !(*opened)->recover()) return nullptr;
  return std::move(*opened);
}

bool add_job(Store& store, std::uint64_t seq) {
  core::ChangeSet changes;
  if (seq == 1) changes.topics.push_back({1, "t", {}, false});
  core::Job job;
  job.ref = {1, 0, seq};
  job.payload = std::string(5'000, 'x');
  changes.inserts.push_back(job);
  changes.partitions.push_back({{1, 0}, {.next_seq = seq + 1, .live = seq, .enqueued = seq}});
  bool well = false;
  store.commit(std::move(changes), [&well](auto answer) { well = answer.has_value(); });
  return well;
}

std::size_t jobs_in(Store& store) {
  std::size_t found = 0;
  store.load(core::LoadReady{{1, 0}, core::priority_default, 0, 2 * jobs_max, 1 << 20},
             [&found](auto answer) {
               ASSERT_TRUE(answer);
               found = std::get<core::ReadyLoaded>(*answer).jobs.size();
             });
  return found;
}

void fail_once(DiskFault fault, std::uint64_t after, bool in_order, bool power) {
  SimDisk disk("failed-write", after);
  auto store = open_at(disk);
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(add_job(*store, 1));
  disk.fail_in(after, fault);
  std::uint64_t answered = 1;
  while (answered < jobs_max && add_job(*store, answered + 1)) ++answered;
  ASSERT_LT(answered, jobs_max);
  if (!in_order) disk.cut_power();
  store.reset();
  power ? disk.power_loss() : disk.process_crash();
  store = open_at(disk);
  ASSERT_NE(store, nullptr);
  EXPECT_GE(jobs_in(*store), answered);
}

TEST(FailedWrite, TheStoreStartsAgainWithWhatWasAnswered) {
  for (const auto fault :
       {DiskFault::io_error, DiskFault::no_space, DiskFault::short_write, DiskFault::lost_sync}) {
    for (std::uint64_t after = 1; after <= operations; ++after) {
      for (const unsigned way : {0U, 1U, 2U, 3U}) {
        SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at operation " +
                     std::to_string(after) + ", way " + std::to_string(way));
        fail_once(fault, after, (way & 1U) != 0, (way & 2U) != 0);
        if (HasFatalFailure()) return;
      }
    }
  }
}

std::uint64_t used(SimDisk& disk) {
  std::uint64_t bytes = 0;
  for (const auto& name : disk.names()) bytes += disk.size(name).value_or(0);
  return bytes;
}

// Its write-back at the end fails too, so that the log stays as the failure left it.
TEST(FailedWrite, TheStoreStartsAgainAfterADiskThatStayedFull) {
  for (std::uint64_t room = 0; room < 40'000; room += 1'000) {
    SCOPED_TRACE(std::to_string(room) + " bytes were free");
    SimDisk disk("stays-full", room);
    auto store = open_at(disk);
    ASSERT_NE(store, nullptr);
    ASSERT_TRUE(add_job(*store, 1));
    disk.set_capacity(used(disk) + room);
    std::uint64_t answered = 1;
    while (answered < jobs_max && add_job(*store, answered + 1)) ++answered;
    ASSERT_LT(answered, jobs_max);
    store.reset();
    disk.process_crash();
    disk.set_capacity(UINT64_MAX);
    store = open_at(disk);
    ASSERT_NE(store, nullptr);
    EXPECT_GE(jobs_in(*store), answered);
  }
}

// Without it a power loss could take the whole file.
TEST(FailedWrite, AFolderThatCannotBeSyncedStopsTheStart) {
  struct NoFolder : SimDisk {
    using SimDisk::SimDisk;
    Expected<void> sync_folder_of(const std::string& /*path*/) override {
      return tl::unexpected(Failure{FailureKind::io, "the folder cannot be synced"});
    }
  };
  NoFolder disk("folder", 1);
  const auto store = open_sqlite({.path = path, .files = &disk});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message, "the folder cannot be synced");
}

}  // namespace
}  // namespace millrace::storage
