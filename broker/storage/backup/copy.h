// An online copy of one shard's file, made by a read-only connection while the broker writes.
#pragma once

#include "storage/sqlite_store.h"
#include "storage/store.h"

#include <cstdint>
#include <functional>
#include <string>

namespace millrace::storage {

struct CopyWatch {
  std::function<bool()> stop;                 // true: abort soon
  std::function<void(std::uint64_t)> copied;  // bytes of this file so far
  std::uint64_t disk_free_bytes_min = 0;      // where the copy is written
};

// The approximate size of a copy: the pages in use.
[[nodiscard]] Expected<std::uint64_t> used_bytes(const SqliteOptions& from);
// A consistent snapshot of the file, without its free pages and without a log beside it. `to` must
// not exist; after a failure it may exist in part. Blocks only its own thread: the writer
// continues, but cannot restart its log until the copy is done.
[[nodiscard]] Expected<void> copy_shard(const SqliteOptions& from, const std::string& to,
                                        const CopyWatch& watch);

}  // namespace millrace::storage
