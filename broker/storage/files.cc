#include "storage/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t again_bytes = 1 << 20;  // at a time

std::string folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Failure refused(const std::string& name, const std::string& path, int error) {
  if (error == ENOENT) {
    return {FailureKind::io, "there is no folder " + folder_of(path) +
                                 ": make it (mkdir -p), or name another data_dir"};
  }
  const bool denied = error == EACCES || error == EROFS || error == EPERM;
  return {denied            ? FailureKind::read_only
          : error == ENOSPC ? FailureKind::no_space
                            : FailureKind::io,
          "opening " + name + ": " + std::strerror(error) +
              "; the broker needs to write in its data_dir"};
}

// The lock lies in a file of its own: closing any descriptor of the database would drop a lock on
// that.
class FileLock {
 public:
  explicit FileLock(int fd) : fd_(fd) {}
  ~FileLock() { ::close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  [[nodiscard]] bool take() const { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0; }
  [[nodiscard]] std::string owner() const {
    std::array<char, 32> text{};
    const auto got = ::read(fd_, text.data(), text.size() - 1);
    return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
  }
  [[nodiscard]] bool write_owner() const {
    const std::string owner = std::to_string(::getpid());
    return ::ftruncate(fd_, 0) == 0 &&
           ::write(fd_, owner.data(), owner.size()) == static_cast<ssize_t>(owner.size());
  }

 private:
  int fd_;
};

class RealFiles : public Files {
 public:
  const char* vfs() const override { return nullptr; }

  Expected<std::shared_ptr<void>> lock(const std::string& path) override {
    const std::string name = path + ".lock";
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return tl::unexpected(refused(name, path, errno));
    auto lock = std::make_shared<FileLock>(fd);
    if (!lock->take()) {
      return tl::unexpected(Failure{
          FailureKind::busy, path + " is in use by another broker (process " + lock->owner() +
                                 "): stop it first, or name another data_dir"});
    }
    if (!lock->write_owner()) {
      return tl::unexpected(Failure{errno == ENOSPC ? FailureKind::no_space : FailureKind::io,
                                    "writing " + name + ": " + std::strerror(errno)});
    }
    return std::shared_ptr<void>(std::move(lock));
  }

  std::string head(const std::string& path, std::size_t bytes) override {
    std::string head(bytes, '\0');
    std::ifstream in(path, std::ios::binary);
    in.read(head.data(), static_cast<std::streamsize>(bytes));
    head.resize(static_cast<std::size_t>(in.gcount()));
    return head;
  }

  std::optional<std::uint64_t> size(const std::string& path) override {
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    if (error) return std::nullopt;
    return bytes;
  }

  Expected<void> sync_folder_of(const std::string& path) override {
    const std::string folder = folder_of(path);
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // EINVAL: a file system that has nothing to sync in a folder.
    const bool well = fd >= 0 && (::fsync(fd) == 0 || errno == EINVAL);
    const int error = errno;
    if (fd >= 0) ::close(fd);
    if (well) return {};
    return tl::unexpected(Failure{FailureKind::io, "syncing the folder " + folder + ": " +
                                                       std::strerror(error) +
                                                       "; check the disk, then start again"});
  }

  Expected<void> write_again(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return {};
    std::vector<char> bytes(again_bytes);
    off_t at = 0;
    ssize_t got = fd < 0 ? -1 : 0;
    do {
      if (fd >= 0) got = ::pread(fd, bytes.data(), bytes.size(), at);
      if (got > 0 && ::pwrite(fd, bytes.data(), static_cast<std::size_t>(got), at) != got) got = -1;
      at += got;
    } while (got > 0);
    const bool well = got == 0 && ::fdatasync(fd) == 0;
    const int error = errno;
    if (fd >= 0) ::close(fd);
    if (well) return {};
    return tl::unexpected(Failure{error == ENOSPC ? FailureKind::no_space : FailureKind::io,
                                  "writing " + path + " again: " + std::strerror(error)});
  }

  std::uint64_t free_bytes(const std::string& path) override {
    struct statvfs disk {};
    if (::statvfs(path.c_str(), &disk) != 0) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  }
};

}  // namespace

Files& real_files() {
  static RealFiles files;
  return files;
}

}  // namespace millrace::storage
