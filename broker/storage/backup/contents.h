// Reads a shard's file that nobody writes: its contents, and whether it is intact.
#pragma once

#include "storage/backup/manifest.h"
#include "storage/store.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::storage {

[[nodiscard]] Expected<ShardContents> read_contents(const std::string& path);

struct SoundFile {
  ShardContents contents;           // as far as they could be read
  std::vector<std::string> wrongs;  // a sentence each; none: the file is intact
};
// Every check that needs only the file: SQLite's own check of each page and index, the schema as
// the migrations make it, and the counters of each partition against its rows. Works on the file of
// a running broker too (a snapshot of it), and then the broker cannot restart its log for as long
// as the check reads.
[[nodiscard]] SoundFile check_shard(const std::string& path);

}  // namespace millrace::storage
