// The simulated disk behaves as its header says: what it may lose, what it must keep.
#include "sim_disk.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <set>
#include <string>

namespace millrace::testing {
namespace {

constexpr std::uint64_t seeds = 300;
const std::string old_bytes(2'048, 'o'), new_bytes(2'048, 'n');

// A file whose entry and first bytes are on the disk.
std::shared_ptr<SimFile> durable_file(SimDisk& disk, const std::string& bytes = old_bytes) {
  auto file = disk.open("/f", true);
  EXPECT_EQ(disk.write(*file, bytes, 0), SQLITE_OK);
  EXPECT_EQ(disk.sync(*file, true), SQLITE_OK);
  return file;
}

std::string after_power_loss(SimDisk& disk) {
  disk.cut_power();
  disk.power_loss();
  const std::string* bytes = disk.bytes("/f");
  return bytes == nullptr ? "gone" : *bytes;
}

TEST(SimDisk, WhatWasSyncedSurvives) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SimDisk disk("disk", seed);
    auto file = durable_file(disk);
    ASSERT_EQ(disk.write(*file, new_bytes, 100), SQLITE_OK);
    ASSERT_EQ(disk.sync(*file, false), SQLITE_OK);
    EXPECT_EQ(after_power_loss(disk), old_bytes.substr(0, 100) + new_bytes);
  }
}

TEST(SimDisk, WhatWasNotSyncedIsKeptLostOrTornAndNothingBesideItChanges) {
  std::set<std::string> seen;
  bool torn_between = false, torn_inside = false;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SimDisk disk("disk", seed);
    auto file = durable_file(disk);
    ASSERT_EQ(disk.write(*file, std::string(1'100, 'n'), 500), SQLITE_OK);
    const std::string found = after_power_loss(disk);
    ASSERT_EQ(found.size(), old_bytes.size());
    EXPECT_EQ(found.find_first_not_of('o') < 500, false);
    EXPECT_EQ(found.substr(1'600), std::string(448, 'o'));
    for (std::size_t at = 501; at < 1'600; ++at) {
      if (found[at] == found[at - 1]) continue;
      (at % 512 == 0 ? torn_between : torn_inside) = true;
    }
    seen.insert(found);
  }
  EXPECT_TRUE(seen.contains(old_bytes));
  EXPECT_TRUE(
      seen.contains(std::string(500, 'o') + std::string(1'100, 'n') + std::string(448, 'o')));
  EXPECT_TRUE(torn_between);
  EXPECT_TRUE(torn_inside);
}

TEST(SimDisk, ALaterWriteMaySurviveAnEarlierOne) {
  bool reordered = false;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SimDisk disk("disk", seed);
    auto file = durable_file(disk);
    ASSERT_EQ(disk.write(*file, "1", 0), SQLITE_OK);
    ASSERT_EQ(disk.write(*file, "2", 1'024), SQLITE_OK);
    const std::string found = after_power_loss(disk);
    reordered |= found[0] == 'o' && found[1'024] == '2';
  }
  EXPECT_TRUE(reordered);
}

TEST(SimDisk, AFileMayGrowWithoutItsBytes) {
  bool zeros = false;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SimDisk disk("disk", seed);
    auto file = durable_file(disk, "");
    ASSERT_EQ(disk.write(*file, std::string(100, 'n'), 0), SQLITE_OK);
    zeros |= after_power_loss(disk) == std::string(100, '\0');
  }
  EXPECT_TRUE(zeros);
}

TEST(SimDisk, AnUnsyncedTruncationMayBeUndone) {
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SimDisk disk("disk", seed);
    auto file = durable_file(disk);
    ASSERT_EQ(disk.truncate(*file, 10), SQLITE_OK);
    sizes.insert(after_power_loss(disk).size());
  }
  EXPECT_EQ(sizes, (std::set<std::size_t>{10, old_bytes.size()}));
}

TEST(SimDisk, AFileIsThereForCertainOnceItsFolderWasSynced) {
  bool gone = false;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    for (const bool folder_synced : {false, true}) {
      SimDisk disk("disk", seed);
      auto file = disk.open("/f", true);
      ASSERT_EQ(disk.write(*file, new_bytes, 0), SQLITE_OK);
      ASSERT_EQ(disk.sync(*file, false), SQLITE_OK);
      if (folder_synced) {
        ASSERT_TRUE(disk.sync_folder_of("/f"));
      }
      const std::string found = after_power_loss(disk);
      EXPECT_TRUE(found == new_bytes || (found == "gone" && !folder_synced));
      gone |= found == "gone";
    }
  }
  EXPECT_TRUE(gone);
}

TEST(SimDisk, ADeletedFileMayComeBackUntilItsFolderWasSynced) {
  bool came_back = false;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    for (const bool folder_synced : {false, true}) {
      SimDisk disk("disk", seed);
      durable_file(disk);
      ASSERT_EQ(disk.remove("/f", folder_synced), SQLITE_OK);
      const std::string found = after_power_loss(disk);
      EXPECT_TRUE(found == "gone" || (found == old_bytes && !folder_synced));
      came_back |= found == old_bytes;
    }
  }
  EXPECT_TRUE(came_back);
}

TEST(SimDisk, AProcessThatDiesLosesNothing) {
  SimDisk disk("disk", 1);
  auto file = durable_file(disk);
  ASSERT_EQ(disk.write(*file, new_bytes, 0), SQLITE_OK);
  disk.cut_power();
  disk.process_crash();
  EXPECT_EQ(*disk.bytes("/f"), new_bytes);
  // And what it left unsynced is still so.
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SimDisk again("again", seed);
    file = durable_file(again);
    ASSERT_EQ(again.write(*file, new_bytes, 0), SQLITE_OK);
    again.cut_power();
    again.process_crash();
    seen.insert(after_power_loss(again));
  }
  EXPECT_TRUE(seen.contains(old_bytes));
}

TEST(SimDisk, PowerThatIsCutInSomeOperationsStopsAllThatFollow) {
  SimDisk disk("disk", 1);
  auto file = durable_file(disk);
  disk.cut_power_in(2);
  EXPECT_EQ(disk.write(*file, "1", 0), SQLITE_OK);
  EXPECT_FALSE(disk.off());
  EXPECT_NE(disk.write(*file, "2", 1), SQLITE_OK);
  EXPECT_TRUE(disk.off());
  EXPECT_NE(disk.sync(*file, false), SQLITE_OK);
  EXPECT_NE(disk.truncate(*file, 0), SQLITE_OK);
  EXPECT_NE(disk.remove("/f", true), SQLITE_OK);
  disk.power_loss();
  EXPECT_NE(disk.bytes("/f"), nullptr);
}

// As Linux has it: the process reads what it wrote, a second sync says yes, the disk has nothing.
TEST(SimDisk, AfterAFailedSyncThePagesCountAsCleanAndMayBeLost) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SimDisk disk("disk", seed);
    auto file = durable_file(disk);
    disk.fail_in(1, DiskFault::lost_sync);
    EXPECT_EQ(disk.write(*file, new_bytes, 0), SQLITE_OK);  // the fault waits for a sync
    EXPECT_NE(disk.sync(*file, false), SQLITE_OK);
    EXPECT_TRUE(disk.failed());
    EXPECT_EQ(disk.sync(*file, false), SQLITE_OK);
    EXPECT_EQ(*disk.bytes("/f"), new_bytes);
    seen.insert(after_power_loss(disk));
  }
  EXPECT_TRUE(seen.contains(old_bytes));
}

TEST(SimDisk, AFaultStrikesOnceAndSaysWhat) {
  SimDisk disk("disk", 1);
  auto file = durable_file(disk);
  disk.fail_in(1, DiskFault::io_error);
  EXPECT_EQ(disk.write(*file, new_bytes, 0), SQLITE_IOERR_WRITE);
  EXPECT_EQ(*disk.bytes("/f"), old_bytes);
  disk.fail_in(1, DiskFault::no_space);
  EXPECT_EQ(disk.sync(*file, false), SQLITE_OK);
  EXPECT_EQ(disk.write(*file, new_bytes, 0), SQLITE_FULL);
  disk.fail_in(1, DiskFault::short_write);
  EXPECT_EQ(disk.write(*file, new_bytes, 0), SQLITE_IOERR_WRITE);
  EXPECT_NE(*disk.bytes("/f"), new_bytes);
  EXPECT_EQ(disk.write(*file, new_bytes, 0), SQLITE_OK);
}

TEST(SimDisk, AFullDiskTakesWhatFitsInPlace) {
  SimDisk disk("disk", 1);
  auto file = durable_file(disk);
  disk.set_capacity(old_bytes.size() + 10);
  EXPECT_EQ(*disk.free_bytes("/f"), 10U);
  EXPECT_EQ(disk.write(*file, new_bytes, 0), SQLITE_OK);
  EXPECT_EQ(disk.write(*file, std::string(11, 'x'), old_bytes.size()), SQLITE_FULL);
  EXPECT_EQ(disk.write(*file, std::string(10, 'x'), old_bytes.size()), SQLITE_OK);
}

}  // namespace
}  // namespace millrace::testing
