#include "storage/backup/disk.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t piece_bytes = 1 << 20;

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, mode_t mode = 0)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }

 private:
  int fd_;
};

bool write_all(int fd, const char* data, std::size_t bytes) {
  while (bytes > 0) {
    const auto wrote = ::write(fd, data, bytes);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    data += wrote;
    bytes -= static_cast<std::size_t>(wrote);
  }
  return true;
}

std::string in_hex(const std::array<std::uint8_t, SHA256_DIGEST_SIZE>& digest) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

// Calls take(data, bytes) for each piece; false when reading or taking failed.
template <typename Take>
bool each_piece(int fd, Take take) {
  std::vector<char> piece(piece_bytes);
  for (;;) {
    const auto got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    if (!take(piece.data(), static_cast<std::size_t>(got))) return false;
  }
}

}  // namespace

Failure disk_failure(const std::string& doing, const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  const bool denied = error == EACCES || error == EPERM || error == EROFS;
  const FailureKind kind = full     ? FailureKind::no_space
                           : denied ? FailureKind::read_only
                                    : FailureKind::io;
  return {kind, doing + " " + path + ": " + std::strerror(error)};
}

std::string in_folder(std::string folder, std::string_view name) {
  folder += '/';
  folder += name;
  return folder;
}

Expected<void> sync_path(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (!file.open() || ::fsync(file.get()) != 0) {
    return tl::unexpected(disk_failure("syncing", path, errno));
  }
  return {};
}

Expected<void> write_synced(const std::string& path, const std::string& text) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
  if (!file.open() || !write_all(file.get(), text.data(), text.size()) ||
      ::fsync(file.get()) != 0) {
    return tl::unexpected(disk_failure("writing", path, errno));
  }
  return {};
}

Expected<void> rename_synced(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return tl::unexpected(disk_failure("renaming " + from + " to", to, errno));
  }
  const std::string left = fs::path(from).parent_path(), entered = fs::path(to).parent_path();
  if (auto done = sync_path(entered); !done) return done;
  return left == entered ? Expected<void>() : sync_path(left);
}

Expected<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0750) == 0 || (errno == EEXIST && fs::is_directory(path))) return {};
  return tl::unexpected(disk_failure("making the folder", path, errno));
}

Expected<void> copy_file_synced(const std::string& from, const std::string& to) {
  const Descriptor in(from, O_RDONLY);
  if (!in.open()) return tl::unexpected(disk_failure("reading", from, errno));
  const Descriptor out(to, O_WRONLY | O_CREAT | O_EXCL, 0640);
  if (!out.open()) return tl::unexpected(disk_failure("writing", to, errno));
  const bool copied = each_piece(in.get(), [&out](const char* data, std::size_t bytes) {
    return write_all(out.get(), data, bytes);
  });
  if (!copied || ::fsync(out.get()) != 0) {
    return tl::unexpected(disk_failure("copying " + from + " to", to, errno));
  }
  return {};
}

Expected<std::string> read_text(const std::string& path, std::uint64_t bytes_max) {
  const Descriptor file(path, O_RDONLY);
  if (!file.open()) return tl::unexpected(disk_failure("reading", path, errno));
  std::string text;
  errno = EFBIG;
  const bool whole = each_piece(file.get(), [&](const char* data, std::size_t bytes) {
    text.append(data, bytes);
    return text.size() <= bytes_max;
  });
  if (!whole) return tl::unexpected(disk_failure("reading", path, errno));
  return text;
}

Expected<std::string> sha256_of(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (!file.open()) return tl::unexpected(disk_failure("reading", path, errno));
  sha256_ctx sum{};
  sha256_init(&sum);
  const bool read = each_piece(file.get(), [&sum](const char* data, std::size_t bytes) {
    sha256_update(&sum, bytes, reinterpret_cast<const std::uint8_t*>(data));
    return true;
  });
  if (!read) return tl::unexpected(disk_failure("reading", path, errno));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&sum, digest.size(), digest.data());
  return in_hex(digest);
}

std::string sha256_of_text(const std::string& text) {
  sha256_ctx sum{};
  sha256_init(&sum);
  sha256_update(&sum, text.size(), reinterpret_cast<const std::uint8_t*>(text.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&sum, digest.size(), digest.data());
  return in_hex(digest);
}

}  // namespace millrace::storage
