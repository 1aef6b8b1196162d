// Reads a shard's file that nobody writes: what stands in it, and whether it is sound.
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
  std::vector<std::string> wrongs;  // a sentence each; none: it is sound
};
// Everything that can be judged from the file alone: SQLite's own check of each page and index, the
// schema as the migrations make it, and the counters of each partition against its rows. Works on
// the file of a running broker too (a moment of it), and then keeps its log from starting again
// for as long as it reads.
[[nodiscard]] SoundFile check_shard(const std::string& path);

}  // namespace millrace::storage
