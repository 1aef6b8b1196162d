// How far the write-ahead log was synced, in a small file beside it: FILE-synced. A log that ends
// early says by itself only that its rest is torn, as after a power loss; the mark tells whether
// what is missing was promised. It is written after each sync of the log, not synced itself: an
// older mark promises less, never too much. Before the log begins anew or is removed, a mark that
// promises nothing is synced first.
#pragma once

#include "storage/vfs_file.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace millrace::storage {

using WalSalts = std::array<unsigned char, 8>;  // drawn anew whenever the log begins anew

struct Synced {
  WalSalts salts{};
  std::uint32_t frames = 0;  // 0: nothing is promised
};

class SyncedMark {
 public:
  SyncedMark(sqlite3_vfs* vfs, std::string path) : vfs_(vfs), path_(std::move(path)) {}

  // Each SQLITE_OK, or what went wrong.
  [[nodiscard]] int promise(const Synced& synced);
  [[nodiscard]] int promise_nothing();  // on disk when it returns

  // None where there is no mark, or it is not whole.
  [[nodiscard]] static std::optional<Synced> read(sqlite3_vfs* vfs, const std::string& path);
  [[nodiscard]] static std::string path_of(const std::string& database);

 private:
  [[nodiscard]] int put(const Synced& synced);

  sqlite3_vfs* vfs_;
  std::string path_;
  VfsFile file_;
  bool promises_ = true;  // until it is known to promise nothing
};

}  // namespace millrace::storage
