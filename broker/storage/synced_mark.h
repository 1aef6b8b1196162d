// How far the write-ahead log was synced, in a small file beside it: FILE-synced. A log that ends
// early shows only that its rest is torn, as after a power loss; the mark shows whether the missing
// part was acknowledged. It is written after each sync of the log, but not synced itself: an older
// mark records less, never too much. Before the log is restarted or removed, a mark of length 0 is
// synced first.
#pragma once

#include "storage/vfs_file.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace millrace::storage {

using WalSalts = std::array<unsigned char, 8>;  // new random numbers whenever the log is restarted

struct Synced {
  WalSalts salts{};
  std::uint32_t frames = 0;  // 0: no frame was synced
};

class SyncedMark {
 public:
  SyncedMark(sqlite3_vfs* vfs, std::string path) : vfs_(vfs), path_(std::move(path)) {}

  // Each returns SQLITE_OK or an error code of SQLite.
  [[nodiscard]] int promise(const Synced& synced);
  [[nodiscard]] int promise_nothing();  // on disk when it returns

  // Empty if there is no mark, or it is torn.
  [[nodiscard]] static std::optional<Synced> read(sqlite3_vfs* vfs, const std::string& path);
  [[nodiscard]] static std::string path_of(const std::string& database);

 private:
  [[nodiscard]] int put(const Synced& synced);

  sqlite3_vfs* vfs_;
  std::string path_;
  VfsFile file_;
  bool promises_ = true;  // until the mark on disk is known to be 0
};

}  // namespace millrace::storage
