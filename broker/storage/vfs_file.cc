#include "storage/vfs_file.h"

namespace millrace::storage {

int VfsFile::open(sqlite3_vfs* vfs, const std::string& path, int flags) {
  close();
  // A main database's name ends with two zeros.
  path_ = path + std::string(2, '\0');
  memory_ = std::make_unique<std::byte[]>(static_cast<std::size_t>(vfs->szOsFile));
  auto* file = reinterpret_cast<sqlite3_file*>(memory_.get());
  file->pMethods = nullptr;
  const int code = vfs->xOpen(vfs, path_.c_str(), file, flags, nullptr);
  if (file->pMethods != nullptr) file_ = file;
  if (code != SQLITE_OK) close();
  return code;
}

void VfsFile::close() {
  if (file_ != nullptr) file_->pMethods->xClose(file_);
  file_ = nullptr;
}

int VfsFile::read(void* to, std::size_t bytes, std::uint64_t at) {
  return file_->pMethods->xRead(file_, to, static_cast<int>(bytes), static_cast<sqlite3_int64>(at));
}

int VfsFile::write(const void* from, std::size_t bytes, std::uint64_t at) {
  return file_->pMethods->xWrite(file_, from, static_cast<int>(bytes),
                                 static_cast<sqlite3_int64>(at));
}

int VfsFile::sync() { return file_->pMethods->xSync(file_, SQLITE_SYNC_NORMAL); }

std::uint64_t VfsFile::size() {
  sqlite3_int64 bytes = 0;
  if (file_->pMethods->xFileSize(file_, &bytes) != SQLITE_OK || bytes < 0) return 0;
  return static_cast<std::uint64_t>(bytes);
}

bool VfsFile::exists(sqlite3_vfs* vfs, const std::string& path) {
  int found = 0;
  return vfs->xAccess(vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &found) == SQLITE_OK && found != 0;
}

std::string VfsFile::full_path(sqlite3_vfs* vfs, const std::string& path) {
  std::string full(static_cast<std::size_t>(vfs->mxPathname) + 1, '\0');
  if (vfs->xFullPathname(vfs, path.c_str(), static_cast<int>(full.size()), full.data()) !=
      SQLITE_OK) {
    return path;
  }
  full.resize(full.find('\0'));
  return full;
}

}  // namespace millrace::storage
