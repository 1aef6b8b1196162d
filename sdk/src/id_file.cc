#include "id_file.h"

#include "link.h"
#include "options.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

constexpr std::string_view head = "millrace-producer 1 ";
constexpr std::size_t file_bytes_max = 128;
constexpr std::uint64_t epoch_max = std::uint64_t{1} << 62;
constexpr int opens_max =
    100;  // each attempt but the last met another process that has ended meanwhile

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Error cannot(const std::string& path, const std::string& what, int error) {
  return {ErrorCode::unavailable,
          "the id_file '" + path + "' cannot be " + what + ": " + std::strerror(error),
          {}};
}

std::string text_of(const wire::Id& id, std::uint64_t epoch) {
  std::string text(head);
  for (const std::uint8_t byte : id) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned>(byte));
    text += hex;
  }
  return text + " " + std::to_string(epoch) + "\n";
}

// Whether it is the text of an id and an epoch, which are then set.
bool read_text(std::string_view text, wire::Id& id, std::uint64_t& epoch) {
  if (!text.starts_with(head)) return false;
  text.remove_prefix(head.size());
  if (text.size() < 2 * id.size() + 3 || text[2 * id.size()] != ' ' || text.back() != '\n') {
    return false;
  }
  for (std::size_t i = 0; i < id.size(); ++i) {
    const char* const at = text.data() + 2 * i;
    const auto [end, wrong] = std::from_chars(at, at + 2, id[i], 16);
    if (wrong != std::errc{} || end != at + 2) return false;
  }
  const char* const last = text.data() + text.size() - 1;
  const auto [end, wrong] = std::from_chars(text.data() + 2 * id.size() + 1, last, epoch);
  return wrong == std::errc{} && end == last && epoch > 0 && epoch < epoch_max;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Locks the file at the path; -1: the path now names another file, so try again.
Result<int> lock(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                         S_IRUSR | S_IWUSR));
  if (file.get() < 0) return tl::unexpected(cannot(path, "opened", errno));
  struct stat opened {
  }, named{};
  if (::fstat(file.get(), &opened) != 0) return tl::unexpected(cannot(path, "opened", errno));
  if (!S_ISREG(opened.st_mode))
    return tl::unexpected(invalid("the id_file '" + path + "' is not a regular file"));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return tl::unexpected(cannot(path, "locked", errno));
    return tl::unexpected(
        Error{ErrorCode::unavailable,
              "the id_file '" + path +
                  "' is in use by another Producer: give each Producer a file of its own",
              {}});
  }
  const bool same = ::stat(path.c_str(), &named) == 0 && named.st_dev == opened.st_dev &&
                    named.st_ino == opened.st_ino;
  return same ? file.release() : -1;
}

// Writes the text into a new file, which takes the name of the old one and is
// locked.
Result<int> replace(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  Descriptor file(::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                         S_IRUSR | S_IWUSR));
  if (file.get() < 0) return tl::unexpected(cannot(path, "written", errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 || ::fchmod(file.get(), S_IRUSR | S_IWUSR) != 0 ||
      !write_all(file.get(), text) || ::fsync(file.get()) != 0 ||
      ::rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(fresh.c_str());
    return tl::unexpected(cannot(path, "written", error));
  }
  const auto parent = std::filesystem::path(path).parent_path();
  const Descriptor folder(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) {
    return tl::unexpected(cannot(path, "written", errno));
  }
  return file.release();
}

}  // namespace

IdFile::~IdFile() {
  if (locked_fd_ < 0) return;
  ::flock(locked_fd_, LOCK_UN);  // a child of fork() has the descriptor too
  ::close(locked_fd_);
}

std::optional<Error> IdFile::take(const std::string& path) {
  Result<int> locked = -1;
  for (int i = 0; i < opens_max && locked && *locked < 0; ++i) locked = lock(path);
  if (!locked) return locked.error();
  if (*locked < 0) return cannot(path, "locked", EAGAIN);
  const Descriptor file(*locked);
  std::array<char, file_bytes_max> bytes{};
  const auto got = ::read(file.get(), bytes.data(), bytes.size());
  if (got < 0) return cannot(path, "read", errno);
  if (got == 0) {
    id_ = random_id();
  } else if (!read_text({bytes.data(), static_cast<std::size_t>(got)}, id_, epoch_)) {
    return invalid("the file '" + path +
                   "' is not an id_file of a Producer and was not changed: set another path, or "
                   "remove the file to get a new id");
  }
  const auto replaced = replace(path, text_of(id_, ++epoch_));
  if (!replaced) return replaced.error();
  locked_fd_ = *replaced;
  return std::nullopt;
}

}  // namespace millrace
