// An online copy of one shard's file, made by a read-only connection while the broker writes.
#pragma once

#include "storage/sqlite_store.h"
#include "storage/store.h"

#include <cstdint>
#include <functional>
#include <string>

namespace millrace::storage {

struct CopyWatch {
  std::function<bool()> stop;                 // true: give up soon
  std::function<void(std::uint64_t)> copied;  // bytes of this file so far
  std::uint64_t disk_free_bytes_min = 0;      // where the copy is written
};

// What a copy will take, about: the pages in use.
[[nodiscard]] Expected<std::uint64_t> used_bytes(const SqliteOptions& from);
// One moment of the file, whole, without its free pages and without a log beside it. `to` must not
// be there; when this fails it may be, in part. Blocks its own thread only: the writer goes on, but
// cannot begin its log anew until the copy is done.
[[nodiscard]] Expected<void> copy_shard(const SqliteOptions& from, const std::string& to,
                                        const CopyWatch& watch);

}  // namespace millrace::storage
