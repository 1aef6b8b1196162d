// The store on a SQLite file in write-ahead mode: one connection writes and checkpoints, readers
// are read-only. Answers inside the call. Its file is for people to read too: migrations/*.sql.
// Threads: the store belongs to one thread; reader() makes connections for others.
#pragma once

#include "storage/files.h"
#include "storage/migrations.h"
#include "storage/store.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace millrace::storage {

struct SqliteOptions {
  std::string path;
  // Above this size the WAL is checkpointed after a commit, below it only when the shard is idle.
  std::int64_t wal_bytes_max = 16LL << 20;
  std::int64_t wal_bytes_quiet = 1LL << 20;
  // The minimum number of similar consecutive new jobs that share a row
  // (migrations/0005_packs.sql); a number above pack_jobs_max: no job does.
  std::size_t pack_jobs_min = 4;
  Files* files = &real_files();  // must outlive the store and its readers
  std::span<const char* const> migrations = storage::migrations();
};

// Of the library that is loaded: 3040001 is 3.40.1.
[[nodiscard]] int sqlite_version_number();

[[nodiscard]] Expected<std::unique_ptr<Store>> open_sqlite(SqliteOptions options);

}  // namespace millrace::storage
