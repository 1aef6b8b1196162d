#include "storage/file_check.h"

#include "storage/page_checksum.h"
#include "storage/synced_mark.h"
#include "storage/vfs_file.h"
#include "storage/wal_format.h"

#include <array>
#include <cstring>
#include <vector>

namespace millrace::storage {
namespace {

constexpr std::size_t header_bytes = 100, pages_at = 28;
constexpr std::uint32_t wal_magic = 0x377f0682;  // or one more: the byte order of its checksums

using Bytes = std::vector<unsigned char>;

tl::unexpected<Failure> refused(const std::string& path, const std::string& what) {
  return tl::unexpected(damaged(path, what));
}

tl::unexpected<Failure> unreadable(const std::string& path, int code) {
  return tl::unexpected(Failure{
      FailureKind::io, "reading " + path + " failed (SQLite " + std::to_string(code) +
                           "): check the disk and the system log, then start the broker again"});
}

// SQLite's sums over a log: two 32-bit words taken at a time, each sum adding the other.
class WalSum {
 public:
  explicit WalSum(bool big) : big_(big) {}
  void add(const unsigned char* at, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += 8) {
      one_ += word(at + i) + two_;
      two_ += word(at + i + 4) + one_;
    }
  }
  [[nodiscard]] bool equals(const unsigned char* stored) const {
    return big_endian(stored) == one_ && big_endian(stored + 4) == two_;
  }

 private:
  [[nodiscard]] std::uint32_t word(const unsigned char* at) const {
    if (big_) return big_endian(at);
    std::uint32_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  bool big_;
  std::uint32_t one_ = 0, two_ = 0;
};

struct WalFound {
  WalSalts salts{};
  std::uint32_t frames = 0;  // up to the last whole commit
  bool has_first_page = false;
  bool marked = false;  // a commit was synced at some time
};

// As SQLite's recovery reads it: up to the first invalid frame.
WalFound read_wal(VfsFile& wal) {
  WalFound found;
  std::array<unsigned char, wal_header_bytes> header{};
  if (wal.read(header.data(), header.size(), 0) != SQLITE_OK) return found;
  if ((big_endian(header.data()) & ~1U) != wal_magic) return found;
  WalSum sum((big_endian(header.data()) & 1U) != 0);
  sum.add(header.data(), wal_sum_at);
  const std::size_t page_bytes = big_endian(header.data() + wal_page_bytes_at);
  if (!sum.equals(header.data() + wal_sum_at) || page_bytes < 512 || page_bytes > 65'536) {
    return found;
  }
  std::memcpy(found.salts.data(), header.data() + wal_salts_at, found.salts.size());
  std::uint32_t read = 0;
  bool first_page = false;
  Bytes frame(frame_header_bytes + page_bytes);
  for (std::uint64_t at = wal_header_bytes; wal.read(frame.data(), frame.size(), at) == SQLITE_OK;
       at += frame.size()) {
    sum.add(frame.data(), frame_salts_at);
    sum.add(frame.data() + frame_header_bytes, page_bytes);
    const bool ours =
        std::memcmp(frame.data() + frame_salts_at, found.salts.data(), found.salts.size()) == 0;
    if (!ours || !sum.equals(frame.data() + frame_sum_at)) break;
    ++read;
    first_page |= big_endian(frame.data()) == 1;
    if (big_endian(frame.data() + frame_commit_at) == 0) continue;
    found.frames = read;
    found.has_first_page = first_page;
  }
  return found;
}

Expected<WalFound> check_wal(sqlite3_vfs* vfs, const std::string& path) {
  WalFound found;
  const std::string name = path + "-wal";
  VfsFile wal;
  if (VfsFile::exists(vfs, name)) {
    const int code = wal.open(vfs, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_WAL);
    if (code != SQLITE_OK) return unreadable(name, code);
    found = read_wal(wal);
  }
  const auto mark = SyncedMark::read(vfs, SyncedMark::path_of(path));
  found.marked = mark.has_value();
  if (!mark || mark->frames == 0) return found;
  if (mark->salts != found.salts) {
    return refused(path, "its write-ahead log " + name + " is missing or was replaced");
  }
  if (found.frames < mark->frames) {
    return refused(path, "its write-ahead log " + name + " is intact up to frame " +
                             std::to_string(found.frames) + ", but " +
                             std::to_string(mark->frames) + " frames were synced");
  }
  return found;
}

// The first page determines whether the others have checksums. Its own checksum is calculated with
// the correct number of reserved bytes, so it is valid even if only that number is damaged.
bool has_checksum(Bytes page) {
  page[reserved_at] = checksum_bytes;
  return stored_checksum(page.data(), page.size()) == page_checksum(page.data(), page.size(), 1);
}

Expected<void> give_checksums(VfsFile& file, const std::string& path, std::size_t page_bytes) {
  Bytes page(page_bytes);
  const std::uint64_t pages = file.size() / page_bytes;
  // The first page last: until it has its checksum, the next start repeats all of it.
  for (std::uint64_t number = pages; number >= 1; --number) {
    const std::uint64_t at = (number - 1) * page_bytes;
    int code = number == 1 ? file.sync() : SQLITE_OK;
    if (code == SQLITE_OK) code = file.read(page.data(), page_bytes, at);
    if (code != SQLITE_OK) return unreadable(path, code);
    store_checksum(page.data(), page_bytes, number);
    if (file.write(page.data(), page_bytes, at) != SQLITE_OK) return unreadable(path, code);
  }
  if (const int code = file.sync(); code != SQLITE_OK) return unreadable(path, code);
  return {};
}

Expected<void> check_first_page(VfsFile& file, const std::string& path, std::size_t page_bytes) {
  Bytes page(page_bytes);
  const int code = file.read(page.data(), page.size(), 0);
  if (code == SQLITE_IOERR_SHORT_READ) return refused(path, "the file is truncated");
  if (code != SQLITE_OK) return unreadable(path, code);
  const bool reserved = page[reserved_at] == checksum_bytes;
  if (has_checksum(page)) {
    if (!reserved) return refused(path, "its header was changed");
    return {};
  }
  if (!reserved) return {};  // made by an older version: it has no checksums
  if (stored_checksum(page.data(), page_bytes) != 0) {
    return refused(path, "the checksum of its first page is wrong");
  }
  return give_checksums(file, path, page_bytes);
}

}  // namespace

Failure damaged(const std::string& path, const std::string& what) {
  return {FailureKind::damaged, path + " is damaged (" + what +
                                    "). Nothing was changed. Keep a copy of this file and of " +
                                    path + "-wal, then restore the latest backup"};
}

Expected<void> check_file(Files& files, const std::string& path) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(files.vfs());
  if (vfs == nullptr) return {};  // opening will say so
  const std::string full = VfsFile::full_path(vfs, path);
  auto wal = check_wal(vfs, full);
  if (!wal) return tl::unexpected(wal.error());
  // The file was being created when the power was lost: SQLite undoes that first.
  if (files.size(path + "-journal").value_or(0) > 0) return {};
  const auto size = files.size(path);
  if (size.value_or(0) == 0) {
    // SQLite would treat it as a new file, and delete its log.
    if (wal->marked || wal->frames > 0) return refused(path, "the file is empty or missing");
    return {};
  }
  const std::string head = files.head(path, header_bytes);
  if (head.size() < header_bytes)
    return refused(path, "the file is shorter than a database header");
  if (std::memcmp(head.data(), "SQLite format 3", 16) != 0) {
    return tl::unexpected(Failure{
        FailureKind::not_ours,
        path +
            " is not a database: it is damaged or belongs to another program. Nothing was changed. "
            "Set another data_dir, or restore the latest backup"});
  }
  const auto* header = reinterpret_cast<const unsigned char*>(head.data());
  const std::size_t page_bytes = page_bytes_of(header);
  if (page_bytes == 0) return refused(path, "its header has no valid page size");
  // Pages that are in the log may be missing or torn in the file: the log has them complete.
  if (wal->frames == 0 && *size < page_bytes * std::uint64_t{big_endian(header + pages_at)}) {
    return refused(path, "the file is truncated");
  }
  if (wal->has_first_page) return {};
  VfsFile file;
  const int code = file.open(vfs, full, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB);
  if (code != SQLITE_OK) return {};  // SQLite says why when it opens the file
  return check_first_page(file, path, page_bytes);
}

}  // namespace millrace::storage
