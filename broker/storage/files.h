// The file system operations of the store, beside those of SQLite: the lock, the header before
// anything is opened, the folder's sync, the free space. A test replaces them with a simulated
// disk.
#pragma once

#include "storage/store.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace millrace::storage {

class Files {
 public:
  Files() = default;
  virtual ~Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  // SQLite's name for the same disk; null: its own choice.
  [[nodiscard]] virtual const char* vfs() const = 0;
  // One process owns a file: held until the last copy goes.
  [[nodiscard]] virtual Expected<std::shared_ptr<void>> lock(const std::string& path) = 0;
  // The same for a file that was made since, which may get other names later.
  virtual void lock_made(const std::string& /*path*/, const std::shared_ptr<void>& /*lock*/) {}
  // The first bytes of a file, fewer where it is shorter.
  [[nodiscard]] virtual std::string head(const std::string& path, std::size_t bytes) = 0;
  [[nodiscard]] virtual std::optional<std::uint64_t> size(const std::string& path) = 0;
  // Makes a created file survive a power loss.
  [[nodiscard]] virtual Expected<void> sync_folder_of(const std::string& path) = 0;
  // Writes a file's bytes over themselves and syncs them; does nothing if the file does not exist.
  [[nodiscard]] virtual Expected<void> write_again(const std::string& path) = 0;
  // The free space of the file's disk. A failure says that the file cannot be found any more.
  [[nodiscard]] virtual Expected<std::uint64_t> free_bytes(const std::string& path) = 0;
};

[[nodiscard]] Files& real_files();

}  // namespace millrace::storage
