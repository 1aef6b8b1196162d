#include "storage/synced_mark.h"

#include "storage/page_checksum.h"

#include <cstring>

namespace millrace::storage {
namespace {

constexpr char magic[8] = {'M', 'I', 'L', 'L', 'S', 'Y', 'N', '1'};
constexpr std::size_t mark_bytes = 32;  // magic, salts, frames, four unused, checksum
constexpr std::size_t salts_at = 8, frames_at = 16;
using MarkBytes = std::array<unsigned char, mark_bytes>;

}  // namespace

std::string SyncedMark::path_of(const std::string& database) { return database + "-synced"; }

int SyncedMark::put(const Synced& synced) {
  if (!file_.is_open()) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_SUPER_JOURNAL;
    if (const int code = file_.open(vfs_, path_, flags); code != SQLITE_OK) return code;
  }
  MarkBytes bytes{};
  std::memcpy(bytes.data(), magic, sizeof magic);
  std::memcpy(bytes.data() + salts_at, synced.salts.data(), synced.salts.size());
  std::memcpy(bytes.data() + frames_at, &synced.frames, sizeof synced.frames);
  store_checksum(bytes.data(), bytes.size(), 0);
  return file_.write(bytes.data(), bytes.size(), 0);
}

int SyncedMark::promise(const Synced& synced) {
  promises_ = true;
  return put(synced);
}

int SyncedMark::promise_nothing() {
  if (!promises_) return SQLITE_OK;
  if (const int code = put({}); code != SQLITE_OK) return code;
  if (const int code = file_.sync(); code != SQLITE_OK) return code;
  promises_ = false;
  return SQLITE_OK;
}

std::optional<Synced> SyncedMark::read(sqlite3_vfs* vfs, const std::string& path) {
  VfsFile file;
  MarkBytes bytes{};
  if (!VfsFile::exists(vfs, path) ||
      file.open(vfs, path, SQLITE_OPEN_READONLY | SQLITE_OPEN_SUPER_JOURNAL) != SQLITE_OK ||
      file.read(bytes.data(), bytes.size(), 0) != SQLITE_OK) {
    return std::nullopt;
  }
  const bool whole =
      std::memcmp(bytes.data(), magic, sizeof magic) == 0 &&
      stored_checksum(bytes.data(), mark_bytes) == page_checksum(bytes.data(), mark_bytes, 0);
  if (!whole) return std::nullopt;
  Synced synced;
  std::memcpy(synced.salts.data(), bytes.data() + salts_at, synced.salts.size());
  std::memcpy(&synced.frames, bytes.data() + frames_at, sizeof synced.frames);
  return synced;
}

}  // namespace millrace::storage
