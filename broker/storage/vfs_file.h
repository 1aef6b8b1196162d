// A file accessed through SQLite's VFS, so that the store's own reads and writes beside SQLite use
// the same disk, also a simulated one. Numbers are SQLite's result codes.
#pragma once

#include <sqlite3.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace millrace::storage {

class VfsFile {
 public:
  VfsFile() = default;
  ~VfsFile() { close(); }
  VfsFile(const VfsFile&) = delete;
  VfsFile& operator=(const VfsFile&) = delete;

  // flags: SQLITE_OPEN_*, with what the file is to SQLite.
  [[nodiscard]] int open(sqlite3_vfs* vfs, const std::string& path, int flags);
  void close();
  [[nodiscard]] bool is_open() const { return file_ != nullptr; }

  // A read past the end gives zeros and SQLITE_IOERR_SHORT_READ.
  [[nodiscard]] int read(void* to, std::size_t bytes, std::uint64_t at);
  [[nodiscard]] int write(const void* from, std::size_t bytes, std::uint64_t at);
  [[nodiscard]] int sync();
  [[nodiscard]] std::uint64_t size();  // 0 if it cannot be determined

  [[nodiscard]] static bool exists(sqlite3_vfs* vfs, const std::string& path);
  // As SQLite will name it.
  [[nodiscard]] static std::string full_path(sqlite3_vfs* vfs, const std::string& path);

 private:
  std::string path_;  // SQLite's layer keeps a pointer to it
  std::unique_ptr<std::byte[]> memory_;
  sqlite3_file* file_ = nullptr;
};

}  // namespace millrace::storage
