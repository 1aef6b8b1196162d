// SQLite's VFS interface, implemented by SimDisk. Times and randomness are the disk's, so that a
// seed decides every byte.
#include "sim_vfs.h"

#include "sim_disk.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace millrace::testing {
namespace {

struct Handle {
  std::shared_ptr<SimFile> file;
  SimDisk* disk = nullptr;
  std::string path;
  bool read_only = false;
  bool syncs_entry = false;  // a log or a journal: SQLite syncs its folder with it
  unsigned shared_locks = 0, exclusive_locks = 0;  // of the shared memory, a bit each
  bool maps = false;
  int level = SQLITE_LOCK_NONE;  // of the lock on the file itself
};

struct Opened {
  sqlite3_file base;
  Handle* handle;
};

Handle& of(sqlite3_file* file) { return *reinterpret_cast<Opened*>(file)->handle; }
SimDisk& of(sqlite3_vfs* vfs) { return *static_cast<SimDisk*>(vfs->pAppData); }

void unlock_shared(Handle& h, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    const unsigned bit = 1U << static_cast<unsigned>(i);
    if ((h.exclusive_locks & bit) != 0) h.file->locks[i] = 0;
    if ((h.shared_locks & bit) != 0) --h.file->locks[i];
    h.exclusive_locks &= ~bit;
    h.shared_locks &= ~bit;
  }
}

int do_read(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
  Handle& h = of(file);
  if (h.disk->off()) return SQLITE_IOERR_READ;
  const std::string& bytes = h.file->seen;
  const auto from = static_cast<std::size_t>(at);
  const auto wanted = static_cast<std::size_t>(count);
  const std::size_t there = from >= bytes.size() ? 0 : std::min(wanted, bytes.size() - from);
  std::memcpy(to, bytes.data() + (there == 0 ? 0 : from), there);
  if (there == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(to) + there, 0, wanted - there);
  return SQLITE_IOERR_SHORT_READ;
}

int do_write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
  Handle& h = of(file);
  if (h.read_only) return SQLITE_READONLY;
  return h.disk->write(*h.file, {static_cast<const char*>(from), static_cast<std::size_t>(count)},
                       static_cast<std::uint64_t>(at));
}

int do_truncate(sqlite3_file* file, sqlite3_int64 size) {
  Handle& h = of(file);
  return h.disk->truncate(*h.file, static_cast<std::uint64_t>(size));
}

int do_sync(sqlite3_file* file, int /*flags*/) {
  Handle& h = of(file);
  return h.disk->sync(*h.file, h.syncs_entry);
}

int do_size(sqlite3_file* file, sqlite3_int64* size) {
  Handle& h = of(file);
  if (h.disk->off()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(h.file->seen.size());
  return SQLITE_OK;
}

// In WAL mode the file's own lock says who uses it: the last one to close may remove the log.
int do_lock(sqlite3_file* file, int level) {
  Handle& h = of(file);
  const bool mine = h.level >= SQLITE_LOCK_SHARED;
  if (level <= h.level) return SQLITE_OK;
  if (h.file->exclusive && h.level < SQLITE_LOCK_RESERVED) return SQLITE_BUSY;
  if (level > SQLITE_LOCK_SHARED) {
    if (level == SQLITE_LOCK_EXCLUSIVE && h.file->users > 1) return SQLITE_BUSY;
    h.file->exclusive = true;
  }
  if (!mine) ++h.file->users;
  h.level = level;
  return SQLITE_OK;
}
int do_unlock(sqlite3_file* file, int level) {
  Handle& h = of(file);
  if (level >= h.level) return SQLITE_OK;
  if (h.level > SQLITE_LOCK_SHARED) h.file->exclusive = false;
  if (level == SQLITE_LOCK_NONE) --h.file->users;
  h.level = level;
  return SQLITE_OK;
}
int do_close(sqlite3_file* file) {
  (void)do_unlock(file, SQLITE_LOCK_NONE);
  delete &of(file);
  reinterpret_cast<Opened*>(file)->handle = nullptr;
  return SQLITE_OK;
}

int do_check_lock(sqlite3_file* /*file*/, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int do_control(sqlite3_file* /*file*/, int /*what*/, void* /*with*/) { return SQLITE_NOTFOUND; }
int do_sector(sqlite3_file* /*file*/) { return 512; }
int do_traits(sqlite3_file* /*file*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int do_map(sqlite3_file* file, int region, int bytes, int extend, void volatile** at) {
  Handle& h = of(file);
  if (h.disk->off()) return SQLITE_IOERR_SHMMAP;
  auto& shared = h.file->shared;
  if (!std::exchange(h.maps, true)) ++h.file->shared_users;
  const auto wanted = static_cast<std::size_t>(region);
  *at = nullptr;
  if (shared.size() <= wanted && extend == 0) return SQLITE_OK;
  while (shared.size() <= wanted) {
    shared.push_back(std::make_unique<char[]>(static_cast<std::size_t>(bytes)));
  }
  *at = shared[wanted].get();
  return SQLITE_OK;
}

int do_map_lock(sqlite3_file* file, int first, int count, int flags) {
  Handle& h = of(file);
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    unlock_shared(h, first, count);
    return SQLITE_OK;
  }
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (int i = first; i < first + count; ++i) {
    const bool mine = (h.shared_locks >> static_cast<unsigned>(i) & 1U) != 0;
    const int others = h.file->locks[i] - (mine ? 1 : 0);
    if (h.file->locks[i] < 0 || (exclusive && others > 0)) return SQLITE_BUSY;
  }
  for (int i = first; i < first + count; ++i) {
    const unsigned bit = 1U << static_cast<unsigned>(i);
    if (exclusive) {
      h.file->locks[i] = -1;
      h.exclusive_locks |= bit;
    } else if ((h.shared_locks & bit) == 0) {
      ++h.file->locks[i];
      h.shared_locks |= bit;
    }
  }
  return SQLITE_OK;
}

void do_barrier(sqlite3_file* /*file*/) {}

int do_unmap(sqlite3_file* file, int /*remove*/) {
  Handle& h = of(file);
  unlock_shared(h, 0, 8);
  // With the last user goes what was shared: the next one begins with recovery.
  if (std::exchange(h.maps, false) && --h.file->shared_users == 0) h.file->shared.clear();
  return SQLITE_OK;
}

const sqlite3_io_methods methods = {2,          do_close,  do_read,   do_write,  do_truncate,
                                    do_sync,    do_size,   do_lock,   do_unlock, do_check_lock,
                                    do_control, do_sector, do_traits, do_map,    do_map_lock,
                                    do_barrier, do_unmap,  nullptr,   nullptr};

int vfs_open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* got) {
  auto* opened = reinterpret_cast<Opened*>(file);
  opened->base.pMethods = nullptr;
  SimDisk& disk = of(vfs);
  if (disk.off()) return SQLITE_CANTOPEN;
  auto handle = std::make_unique<Handle>();
  handle->disk = &disk;
  handle->read_only = (flags & SQLITE_OPEN_READONLY) != 0;
  handle->syncs_entry = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  if (name == nullptr) {
    handle->file = std::make_shared<SimFile>();
  } else {
    handle->path = name;
    handle->file = disk.open(handle->path, (flags & SQLITE_OPEN_CREATE) != 0);
    if (handle->file == nullptr) return SQLITE_CANTOPEN;
  }
  if (got != nullptr) *got = flags;
  opened->handle = handle.release();
  opened->base.pMethods = &methods;
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  return of(vfs).remove(name, sync_folder != 0);
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int flags, int* answer) {
  if (of(vfs).off()) return SQLITE_IOERR_ACCESS;
  const auto size = of(vfs).size(name);
  *answer = flags == SQLITE_ACCESS_EXISTS ? size.value_or(0) > 0 : size.has_value();
  return SQLITE_OK;
}

int vfs_full_name(sqlite3_vfs* /*vfs*/, const char* name, int count, char* to) {
  sqlite3_snprintf(count, to, "%s", name);
  return SQLITE_OK;
}

int vfs_random(sqlite3_vfs* vfs, int count, char* to) {
  for (int i = 0; i < count; ++i) to[i] = static_cast<char>(of(vfs).random());
  return count;
}

int vfs_sleep(sqlite3_vfs* /*vfs*/, int us) { return us; }
int vfs_time(sqlite3_vfs* /*vfs*/, sqlite3_int64* ms) {
  *ms = 210866760000000LL + 1'700'000'000'000LL;  // Julian day of 1970 in ms, and some day since
  return SQLITE_OK;
}
int vfs_last_error(sqlite3_vfs* /*vfs*/, int /*count*/, char* /*to*/) { return 0; }

}  // namespace

sqlite3_vfs sim_vfs(SimDisk& disk, const char* name) {
  sqlite3_vfs vfs{};
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(Opened);
  vfs.mxPathname = 512;
  vfs.zName = name;
  vfs.pAppData = &disk;
  vfs.xOpen = vfs_open;
  vfs.xDelete = vfs_delete;
  vfs.xAccess = vfs_access;
  vfs.xFullPathname = vfs_full_name;
  vfs.xRandomness = vfs_random;
  vfs.xSleep = vfs_sleep;
  vfs.xGetLastError = vfs_last_error;
  vfs.xCurrentTimeInt64 = vfs_time;
  return vfs;
}

}  // namespace millrace::testing
