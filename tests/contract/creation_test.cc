// Creation of a file on a disk that fails: at every operation the power is lost, or a write or a
// sync is refused. In the end the file is created, and commits that were acknowledged by then are
// kept.
#include "storage/sqlite_store.h"
#include "store_kit.h"

#include "sim_disk.h"

#include <gtest/gtest.h>
#include <string>

namespace millrace::storage {
namespace {

using testing::DiskFault;
using testing::SimDisk;

// The epoch that recover() gave; 0: it does not open.
std::uint64_t start(SimDisk& disk, std::string* why = nullptr) {
  auto store = open_sqlite({.path = path, .files = &disk});
  if (!store) {
    if (why != nullptr) *why = store.error().message;
    return 0;
  }
  const std::uint64_t epoch = (*store)->recover() ? (*store)->epoch() : 0;
  disk.cut_power();  // before it is closed
  return epoch;
}

TEST(Creation, PowerThatGoesAtAnyOperationLeavesAFileThatOpens) {
  bool whole = false;
  for (std::uint64_t at = 1; !whole; ++at) {
    ASSERT_LT(at, 200U);
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      SimDisk disk("creation", seed);
      disk.cut_power_in(at);
      const std::uint64_t epoch = start(disk);
      whole = epoch != 0;
      disk.power_loss();
      std::string why;
      EXPECT_GT(start(disk, &why), epoch) << "operation " << at << ", seed " << seed << ": " << why;
    }
  }
}

TEST(Creation, AWriteOrSyncThatFailsIsNotPassedOver) {
  for (const DiskFault fault :
       {DiskFault::io_error, DiskFault::no_space, DiskFault::short_write, DiskFault::lost_sync}) {
    bool struck = true;
    for (std::uint64_t at = 1; struck; ++at) {
      ASSERT_LT(at, 200U);
      for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        SimDisk disk("creation", seed);
        disk.fail_in(at, fault);
        const std::uint64_t epoch = start(disk);
        struck = disk.failed();
        EXPECT_EQ(epoch, struck ? 0U : 1U) << "operation " << at;
        seed % 2 == 0 ? disk.process_crash() : disk.power_loss();
        std::string why;
        EXPECT_GT(start(disk, &why), epoch) << "operation " << at << ", seed " << seed << why;
      }
    }
  }
}

}  // namespace
}  // namespace millrace::storage
