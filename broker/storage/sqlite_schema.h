// Opening a file: the lock, the checks whose cost does not grow with it, the settings that
// durability rests on, the migrations.
#pragma once

#include "storage/sqlite_handle.h"

#include <cstdint>
#include <string>

namespace millrace::storage {

inline constexpr std::int64_t application_id = 0x4d494c4c;  // "MILL"

// One process owns a file. The lock lies in a file of its own: closing any descriptor of the
// database would drop a lock on that.
class FileLock {
 public:
  FileLock() = default;
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  [[nodiscard]] static Expected<FileLock> take(const std::string& path);

 private:
  int fd_ = -1;
};

// The one connection that writes and checkpoints. Bytes of the WAL above which it is truncated.
[[nodiscard]] Expected<Database> open_writer(const std::string& path, std::int64_t wal_bytes_kept);
[[nodiscard]] Expected<Database> open_reader(const std::string& path);

}  // namespace millrace::storage
