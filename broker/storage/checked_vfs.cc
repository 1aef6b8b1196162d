#include "storage/checked_vfs.h"

#include "storage/page_checksum.h"
#include "storage/synced_mark.h"
#include "storage/wal_format.h"

#include <sqlite3.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

namespace millrace::storage {
namespace {

constexpr std::size_t page_bytes_max = 65'536;
constexpr std::string_view wal_suffix = "-wal";
constexpr std::string_view layer_prefix = "millrace-";

thread_local std::string damage;

// The layer's state of a write-ahead log that it writes.
struct WalState {
  SyncedMark mark;
  Synced written;               // up to the last commit that was written
  std::uint32_t promised = 0;   // frames of it that the mark records
  std::size_t frame_bytes = 0;  // 0: the log's header has not been seen yet
  // A write or a sync of it failed: the success of a later sync proves nothing.
  bool failed = false;
};

// SQLite allocates it, with room for the layer below behind it.
struct CheckedFile {
  sqlite3_file base;
  sqlite3_file* real;
  std::size_t page_bytes;  // of a database whose pages carry checksums, else 0
  std::string* path;
  WalState* wal;
};

CheckedFile& self(sqlite3_file* file) { return *reinterpret_cast<CheckedFile*>(file); }
sqlite3_file* below(sqlite3_file* file) { return self(file).real; }
sqlite3_vfs* base_of(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

// The database: pages.

void learn_header(CheckedFile& file, const unsigned char* header) {
  file.page_bytes = header[reserved_at] == checksum_bytes ? page_bytes_of(header) : 0;
}

bool is_page(const CheckedFile& file, int bytes, sqlite3_int64 at) {
  return file.page_bytes != 0 && static_cast<std::size_t>(bytes) == file.page_bytes &&
         static_cast<std::size_t>(at) % file.page_bytes == 0;
}

int damaged_page(const CheckedFile& file, std::uint64_t number, const char* what) {
  damage = "page " + std::to_string(number) + " of " + *file.path + " " + what;
  return SQLITE_IOERR_DATA;
}

int read_page(sqlite3_file* f, void* to, int bytes, sqlite3_int64 at) {
  CheckedFile& file = self(f);
  const int code = file.real->pMethods->xRead(file.real, to, bytes, at);
  const auto* page = static_cast<const unsigned char*>(to);
  if (code == SQLITE_OK && at == 0 && bytes >= 100) learn_header(file, page);
  if (!is_page(file, bytes, at)) return code;
  const std::uint64_t number = static_cast<std::uint64_t>(at) / file.page_bytes + 1;
  // A page that the database has, that the log has not, and that the file does not reach.
  if (code == SQLITE_IOERR_SHORT_READ && number > 1)
    return damaged_page(file, number, "is missing: the file is truncated");
  if (code != SQLITE_OK) return code;
  if (stored_checksum(page, file.page_bytes) != page_checksum(page, file.page_bytes, number)) {
    return damaged_page(file, number, "has a wrong checksum");
  }
  return SQLITE_OK;
}

int write_page(sqlite3_file* f, const void* from, int bytes, sqlite3_int64 at) {
  CheckedFile& file = self(f);
  if (at == 0 && bytes >= 100) learn_header(file, static_cast<const unsigned char*>(from));
  if (!is_page(file, bytes, at)) return file.real->pMethods->xWrite(file.real, from, bytes, at);
  // A copy: the buffer that SQLite passes belongs to SQLite.
  thread_local std::array<unsigned char, page_bytes_max> page;
  std::memcpy(page.data(), from, file.page_bytes);
  store_checksum(page.data(), file.page_bytes,
                 static_cast<std::uint64_t>(at) / file.page_bytes + 1);
  return file.real->pMethods->xWrite(file.real, page.data(), bytes, at);
}

// The write-ahead log.

void learn_wal_header(WalState& wal, const unsigned char* header) {
  std::copy_n(header + wal_salts_at, wal.written.salts.size(), wal.written.salts.begin());
  wal.frame_bytes = frame_header_bytes + big_endian(header + wal_page_bytes_at);
  wal.written.frames = wal.promised = 0;
}

// An existing log is continued after its last frame.
int learn_old_wal(CheckedFile& file) {
  if (file.wal->frame_bytes != 0) return SQLITE_OK;
  std::array<unsigned char, wal_header_bytes> header{};
  const int code = file.real->pMethods->xRead(file.real, header.data(), wal_header_bytes, 0);
  if (code == SQLITE_OK) learn_wal_header(*file.wal, header.data());
  return code;
}

int write_wal(sqlite3_file* f, const void* from, int bytes, sqlite3_int64 at) {
  CheckedFile& file = self(f);
  WalState& wal = *file.wal;
  const auto* data = static_cast<const unsigned char*>(from);
  const bool begins_anew = at == 0;
  const bool frame_header = !begins_anew && bytes == frame_header_bytes;
  if (begins_anew) {
    if (const int code = wal.mark.promise_nothing(); code != SQLITE_OK) return code;
  } else if (const int code = learn_old_wal(file); code != SQLITE_OK) {
    return code;
  }
  const int code = file.real->pMethods->xWrite(file.real, from, bytes, at);
  wal.failed |= code != SQLITE_OK;
  if (code != SQLITE_OK) return code;
  if (begins_anew && bytes == wal_header_bytes) learn_wal_header(wal, data);
  if (frame_header && big_endian(data + frame_commit_at) != 0) {
    const auto before = static_cast<std::size_t>(at - wal_header_bytes) / wal.frame_bytes;
    wal.written.frames = static_cast<std::uint32_t>(before) + 1;
  }
  return SQLITE_OK;
}

int sync_wal(sqlite3_file* f, int flags) {
  CheckedFile& file = self(f);
  WalState& wal = *file.wal;
  const int code = file.real->pMethods->xSync(file.real, flags);
  wal.failed |= code != SQLITE_OK;
  if (wal.failed || wal.written.frames <= wal.promised) return code;
  wal.promised = wal.written.frames;
  return wal.mark.promise(wal.written);
}

int truncate_wal(sqlite3_file* f, sqlite3_int64 bytes) {
  CheckedFile& file = self(f);
  const WalState& wal = *file.wal;
  const auto needed = wal_header_bytes + wal.promised * wal.frame_bytes;
  if (wal.frame_bytes == 0 || static_cast<std::size_t>(bytes) < needed) {
    if (const int code = file.wal->mark.promise_nothing(); code != SQLITE_OK) return code;
  }
  return file.real->pMethods->xTruncate(file.real, bytes);
}

// Calls that are only forwarded.

int close(sqlite3_file* f) {
  CheckedFile& file = self(f);
  const int code = file.real->pMethods->xClose(file.real);
  delete file.wal;
  delete file.path;
  return code;
}
int truncate(sqlite3_file* f, sqlite3_int64 bytes) {
  return below(f)->pMethods->xTruncate(below(f), bytes);
}
int sync(sqlite3_file* f, int flags) { return below(f)->pMethods->xSync(below(f), flags); }
int read(sqlite3_file* f, void* to, int bytes, sqlite3_int64 at) {
  return below(f)->pMethods->xRead(below(f), to, bytes, at);
}
int size(sqlite3_file* f, sqlite3_int64* bytes) {
  return below(f)->pMethods->xFileSize(below(f), bytes);
}
int lock(sqlite3_file* f, int kind) { return below(f)->pMethods->xLock(below(f), kind); }
int unlock(sqlite3_file* f, int kind) { return below(f)->pMethods->xUnlock(below(f), kind); }
int is_reserved(sqlite3_file* f, int* out) {
  return below(f)->pMethods->xCheckReservedLock(below(f), out);
}
int control(sqlite3_file* f, int what, void* more) {
  return below(f)->pMethods->xFileControl(below(f), what, more);
}
int sector_bytes(sqlite3_file* f) { return below(f)->pMethods->xSectorSize(below(f)); }
int traits(sqlite3_file* f) { return below(f)->pMethods->xDeviceCharacteristics(below(f)); }
int shm_map(sqlite3_file* f, int at, int bytes, int extend, void volatile** out) {
  return below(f)->pMethods->xShmMap(below(f), at, bytes, extend, out);
}
int shm_lock(sqlite3_file* f, int at, int count, int flags) {
  return below(f)->pMethods->xShmLock(below(f), at, count, flags);
}
void shm_barrier(sqlite3_file* f) { below(f)->pMethods->xShmBarrier(below(f)); }
int shm_unmap(sqlite3_file* f, int remove) {
  return below(f)->pMethods->xShmUnmap(below(f), remove);
}

// Version 2: no mapping of the file, which would read past the checksums.
sqlite3_io_methods methods_of(bool wal) {
  sqlite3_io_methods m{};
  m.iVersion = 2;
  m.xClose = close;
  m.xRead = wal ? read : read_page;
  m.xWrite = wal ? write_wal : write_page;
  m.xTruncate = wal ? truncate_wal : truncate;
  m.xSync = wal ? sync_wal : sync;
  m.xFileSize = size;
  m.xLock = lock;
  m.xUnlock = unlock;
  m.xCheckReservedLock = is_reserved;
  m.xFileControl = control;
  m.xSectorSize = sector_bytes;
  m.xDeviceCharacteristics = traits;
  m.xShmMap = shm_map;
  m.xShmLock = shm_lock;
  m.xShmBarrier = shm_barrier;
  m.xShmUnmap = shm_unmap;
  return m;
}
const sqlite3_io_methods database_methods = methods_of(false), wal_methods = methods_of(true);

// FILE of FILE-wal; empty if it is no log.
std::string database_of(std::string_view path) {
  if (!path.ends_with(wal_suffix)) return {};
  return std::string(path.substr(0, path.size() - wal_suffix.size()));
}

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* f, int flags, int* flags_out) {
  sqlite3_vfs* base = base_of(vfs);
  const bool wal = (flags & SQLITE_OPEN_WAL) != 0;
  if (name == nullptr || (!wal && (flags & SQLITE_OPEN_MAIN_DB) == 0)) {
    return base->xOpen(base, name, f, flags, flags_out);
  }
  auto* file = new (f) CheckedFile{};
  file->real = reinterpret_cast<sqlite3_file*>(file + 1);
  file->real->pMethods = nullptr;
  const int code = base->xOpen(base, name, file->real, flags, flags_out);
  if (file->real->pMethods == nullptr) return code;
  if (code != SQLITE_OK) {
    file->real->pMethods->xClose(file->real);
    return code;
  }
  file->path = new std::string(name);
  file->base.pMethods = wal ? &wal_methods : &database_methods;
  if (wal) {
    file->wal = new WalState{SyncedMark(base, SyncedMark::path_of(database_of(name))), {}, 0, 0};
    return SQLITE_OK;
  }
  // Page 1 may be read from the log alone, so the header is read now.
  std::array<unsigned char, 100> header{};
  if (file->real->pMethods->xRead(file->real, header.data(), header.size(), 0) == SQLITE_OK) {
    learn_header(*file, header.data());
  } else if ((flags & SQLITE_OPEN_URI) != 0) {
    const auto page_bytes = sqlite3_uri_int64(name, page_bytes_option, 0);
    file->page_bytes = static_cast<std::size_t>(std::clamp<sqlite3_int64>(page_bytes, 0, 65'536));
  }
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  sqlite3_vfs* base = base_of(vfs);
  if (const std::string database = database_of(name); !database.empty()) {
    const int code = SyncedMark(base, SyncedMark::path_of(database)).promise_nothing();
    if (code != SQLITE_OK) return code;
  }
  return base->xDelete(base, name, sync_folder);
}

int access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
  return base_of(vfs)->xAccess(base_of(vfs), name, flags, out);
}
int full_path(sqlite3_vfs* vfs, const char* name, int bytes, char* out) {
  return base_of(vfs)->xFullPathname(base_of(vfs), name, bytes, out);
}
int randomness(sqlite3_vfs* vfs, int bytes, char* out) {
  return base_of(vfs)->xRandomness(base_of(vfs), bytes, out);
}
int nap(sqlite3_vfs* vfs, int us) { return base_of(vfs)->xSleep(base_of(vfs), us); }
int last_error(sqlite3_vfs* vfs, int bytes, char* out) {
  return base_of(vfs)->xGetLastError(base_of(vfs), bytes, out);
}
int wall_clock_ms(sqlite3_vfs* vfs, sqlite3_int64* out) {
  return base_of(vfs)->xCurrentTimeInt64(base_of(vfs), out);
}
int wall_days(sqlite3_vfs* vfs, double* out) {
  return base_of(vfs)->xCurrentTime(base_of(vfs), out);
}

struct Layer {
  std::string name;
  sqlite3_vfs vfs{};
};

void point_at(Layer& layer, sqlite3_vfs* base) {
  sqlite3_vfs_unregister(&layer.vfs);  // SQLite's list goes through it
  layer.vfs = {};
  layer.vfs.iVersion = std::min(base->iVersion, 2);
  layer.vfs.szOsFile = static_cast<int>(sizeof(CheckedFile)) + base->szOsFile;
  layer.vfs.mxPathname = base->mxPathname;
  layer.vfs.zName = layer.name.c_str();
  layer.vfs.pAppData = base;
  layer.vfs.xOpen = open;
  layer.vfs.xDelete = remove;
  layer.vfs.xAccess = access;
  layer.vfs.xFullPathname = full_path;
  layer.vfs.xRandomness = randomness;
  layer.vfs.xSleep = nap;
  layer.vfs.xGetLastError = last_error;
  layer.vfs.xCurrentTime = wall_days;
  layer.vfs.xCurrentTimeInt64 = base->iVersion >= 2 ? wall_clock_ms : nullptr;
  sqlite3_vfs_register(&layer.vfs, 0);
}

// Its simulated disk was destroyed. True: it is not registered any more.
bool is_orphan(Layer& layer) {
  const std::string base = layer.name.substr(layer_prefix.size());
  if (sqlite3_vfs_find(base.c_str()) != nullptr) return false;
  sqlite3_vfs_unregister(&layer.vfs);
  return true;
}

}  // namespace

std::string checked_vfs(const char* base_name) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<Layer>> layers;
  const std::lock_guard guard(mutex);
  sqlite3_vfs* base = sqlite3_vfs_find(base_name);
  if (base == nullptr) return base_name == nullptr ? "" : base_name;  // SQLite will say so
  std::string name = std::string(layer_prefix) + base->zName;
  for (auto& layer : layers) {
    if (layer->name != name) continue;
    // A simulated disk may come back under its old name.
    if (base_of(&layer->vfs) != base) point_at(*layer, base);
    return name;
  }
  std::erase_if(layers, [](const auto& layer) { return is_orphan(*layer); });
  layers.push_back(std::make_unique<Layer>());
  layers.back()->name = name;
  point_at(*layers.back(), base);
  return name;
}

const std::string& page_damage() { return damage; }

}  // namespace millrace::storage
