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

std::string refused_advice(int error, const std::string& path) {
  switch (error) {
    case EROFS: return "the disk is mounted read-only: mount it for writing";
    case EACCES:
    case EPERM:
      return "user " + std::to_string(::geteuid()) + " has no permission to write to " +
             folder_of(path) + ": change the owner of the folder (chown), or set another data_dir";
    case ENOSPC:
    case EDQUOT: return "the disk, or the quota of this user on it, is full: free some space";
    case EMFILE:
    case ENFILE: return "no file descriptor is left: raise the limit of open files (ulimit -n)";
    case EIO: return "the disk reported an error: see the system log";
    default: return "the broker must be able to write to its data_dir";
  }
}

Failure refused(const std::string& name, const std::string& path, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    return {
        FailureKind::io,
        (error == ENOENT ? "the folder " + folder_of(path) + " does not exist: create it (mkdir -p)"
                         : folder_of(path) + " is not a folder: create a folder with this name") +
            ", mount its disk, or set another data_dir"};
  }
  const bool denied = error == EACCES || error == EROFS || error == EPERM;
  return {denied                               ? FailureKind::read_only
          : error == ENOSPC || error == EDQUOT ? FailureKind::no_space
                                               : FailureKind::io,
          "opening " + name + ": " + std::strerror(error) + "; " + refused_advice(error, path)};
}

Failure not_found(const std::string& path, int error) {
  std::error_code unknown;
  const std::string folder = folder_of(path);
  const bool folder_gone = error == ENOENT && !fs::exists(folder, unknown);
  const std::string what = folder_gone ? "the folder " + folder : path;
  if (error == ENOENT || error == ENOTDIR) {
    return {FailureKind::io,
            what +
                " is not there any more: it was removed or renamed, or its disk is "
                "no longer mounted"};
  }
  return {FailureKind::io, "reading the state of " + what + ": " + std::strerror(error)};
}

// SQLite follows links too, so that the log lies beside the file itself.
std::string real_name(const std::string& path) {
  std::error_code error;
  const auto real = fs::canonical(path, error);
  if (!error) return real.string();
  const auto folder = fs::canonical(folder_of(path), error);
  return error ? path : (folder / fs::path(path).filename()).string();
}

// The lock lies in a file of its own: closing any descriptor of the database would drop a lock on
// that.
class FileLock {
 public:
  explicit FileLock(int fd) : fd_(fd) {}
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  [[nodiscard]] bool take() const { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0; }
  void take_made(const std::string& path) {
    if (fd_ >= 0) return;
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    (void)(fd_ >= 0 && take());
  }
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

// Two locks: on the name, which is there before the file is, and on the file itself, which may have
// several names. The lock on the name is released first.
struct OwnedFile {
  OwnedFile(int file_fd, int name_fd) : file(file_fd), name(name_fd) {}
  FileLock file, name;
};

class RealFiles : public Files {
 public:
  const char* vfs() const override { return nullptr; }

  Expected<std::shared_ptr<void>> lock(const std::string& path) override {
    const std::string name = real_name(path) + ".lock";
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return tl::unexpected(refused(name, path, errno));
    // Closed only after the connections to the database, which lose their own locks by it.
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    auto lock = std::make_shared<OwnedFile>(file, fd);
    if (!lock->name.take()) {
      return tl::unexpected(Failure{
          FailureKind::busy, path + " is in use by another broker (process " + lock->name.owner() +
                                 "): stop that broker first, or set another data_dir"});
    }
    if (file >= 0 && !lock->file.take()) {
      return tl::unexpected(
          Failure{FailureKind::busy,
                  path +
                      " is in use by another broker under another name (a hard link: find "
                      "its names with find / -xdev -samefile " +
                      path + "): stop that broker first"});
    }
    if (!lock->name.write_owner()) {
      return tl::unexpected(Failure{errno == ENOSPC ? FailureKind::no_space : FailureKind::io,
                                    "writing " + name + ": " + std::strerror(errno)});
    }
    return std::shared_ptr<void>(std::move(lock));
  }

  void lock_made(const std::string& path, const std::shared_ptr<void>& lock) override {
    static_cast<OwnedFile*>(lock.get())->file.take_made(path);
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
    return tl::unexpected(
        Failure{FailureKind::io, "syncing the folder " + folder + ": " + std::strerror(error) +
                                     "; check the disk, then start the broker again"});
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

  Expected<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs disk {};
    if (::statvfs(path.c_str(), &disk) != 0) return tl::unexpected(not_found(path, errno));
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  }
};

}  // namespace

Files& real_files() {
  static RealFiles files;
  return files;
}

}  // namespace millrace::storage
