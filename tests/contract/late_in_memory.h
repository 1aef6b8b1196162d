// A store that answers late, on a disk in memory.
#pragma once

#include "late_store.h"
#include "sim_disk.h"
#include "storage/sqlite_store.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace millrace::storage {

// The disk of a path lasts as long as the program.
inline Expected<std::unique_ptr<Store>> open_late_in_memory(const std::string& path) {
  static std::map<std::string, std::unique_ptr<testing::SimDisk>> disks;
  auto& disk = disks[path];
  if (!disk) disk = std::make_unique<testing::SimDisk>("late-" + std::to_string(disks.size()), 1);
  auto opened = open_sqlite({.path = "/s.db", .files = disk.get()});
  if (!opened) return opened;
  return std::make_unique<testing::LateStore>(std::move(*opened));
}

}  // namespace millrace::storage
