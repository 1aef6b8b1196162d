// Preloaded into a broker: counts its calls of the file system under one folder, and fails one.
// The settings come in the environment:
//   FAIL_IO_UNDER   the folder; calls on files elsewhere are ignored
//   FAIL_IO_AT      the number of the call that fails, from 1; 0 or not set: no call fails
//   FAIL_IO_AS      eio, enospc, or short: half of a write is done, and the rest finds no space.
//                   A call that cannot fail so fails with EIO.
//   FAIL_IO_LOG     a file that gets a letter a call: o(pen) r(ead) w(rite) s(ync) t(runcate)
//                   d(elete); a capital for the one that failed
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr int fds_max = 4'096;

enum class Fault { none, error, half };

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

struct Settings {
  std::string under;
  long at = 0;
  std::string_view as;
  int log = -1;
};

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

const Settings& settings() {
  static const Settings read = [] {
    Settings s;
    s.under = variable("FAIL_IO_UNDER");
    s.at = std::strtol(std::string(variable("FAIL_IO_AT")).c_str(), nullptr, 10);
    s.as = variable("FAIL_IO_AS");
    const std::string log(variable("FAIL_IO_LOG"));
    if (!log.empty()) {
      s.log = real<int (*)(const char*, int, ...)>("open")(
          log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    return s;
  }();
  return read;
}

std::atomic<long> calls{0};
std::array<std::atomic<bool>, fds_max> watched{};
std::array<std::atomic<bool>, fds_max> full{};  // after a short write

bool is_ours(std::string_view path) {
  const std::string& under = settings().under;
  return !under.empty() && path.substr(0, under.size()) == under;
}
bool is_watched(int fd) { return fd >= 0 && fd < fds_max && watched.at(static_cast<size_t>(fd)); }

void note(char kind, bool failed) {
  if (settings().log < 0) return;
  const char letter = failed ? static_cast<char>(kind - 'a' + 'A') : kind;
  (void)real<ssize_t (*)(int, const void*, size_t)>("write")(settings().log, &letter, 1);
}

// Counts one call; what becomes of it. errno is set for an error.
Fault next(char kind) {
  const bool fails = ++calls == settings().at;
  note(kind, fails);
  if (!fails) return Fault::none;
  if (settings().as == "short" && kind == 'w') return Fault::half;
  const bool space = settings().as == "enospc" && (kind == 'w' || kind == 'o');
  errno = space ? ENOSPC : EIO;
  return Fault::error;
}

template <typename Write>
ssize_t write_some(int fd, size_t bytes, Write write) {
  if (!is_watched(fd)) return write(bytes);
  if (full.at(static_cast<size_t>(fd)).exchange(false)) {
    errno = ENOSPC;
    return -1;
  }
  const Fault fault = next('w');
  if (fault == Fault::error) return -1;
  if (fault == Fault::none) return write(bytes);
  full.at(static_cast<size_t>(fd)) = true;
  return write(bytes > 1 ? bytes / 2 : bytes);
}

template <typename Read>
ssize_t read_some(int fd, Read read) {
  if (is_watched(fd) && next('r') != Fault::none) return -1;
  return read();
}

int open_one(const char* name, int folder, const char* path, int flags, mode_t mode) {
  const bool ours = is_ours(path);
  if (ours && next('o') != Fault::none) return -1;
  const int fd = std::string_view(name) == "openat"
                     ? real<int (*)(int, const char*, int, ...)>(name)(folder, path, flags, mode)
                     : real<int (*)(const char*, int, ...)>(name)(path, flags, mode);
  if (fd >= 0 && fd < fds_max) watched.at(static_cast<size_t>(fd)) = ours;
  return fd;
}

int done_to(int fd, char kind, const char* name) {
  if (is_watched(fd) && next(kind) != Fault::none) return -1;
  return real<int (*)(int)>(name)(fd);
}

mode_t mode_of(int flags, va_list more) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(more, int)) : mode_t{0};
}

}  // namespace

// The system's headers name the parameters with leading underscores, which are theirs alone.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_one("open", AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_one("open64", AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_one("openat", folder, path, flags, mode);
}
int close(int fd) {
  if (fd >= 0 && fd < fds_max) watched.at(static_cast<size_t>(fd)) = false;
  return real<int (*)(int)>("close")(fd);
}

ssize_t write(int fd, const void* from, size_t bytes) {
  return write_some(fd, bytes, [&](size_t part) {
    return real<ssize_t (*)(int, const void*, size_t)>("write")(fd, from, part);
  });
}
ssize_t pwrite(int fd, const void* from, size_t bytes, off_t at) {
  return write_some(fd, bytes, [&](size_t part) {
    return real<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite")(fd, from, part, at);
  });
}
ssize_t pwrite64(int fd, const void* from, size_t bytes, off64_t at) {
  return pwrite(fd, from, bytes, at);
}
ssize_t read(int fd, void* to, size_t bytes) {
  return read_some(fd,
                   [&] { return real<ssize_t (*)(int, void*, size_t)>("read")(fd, to, bytes); });
}
ssize_t pread(int fd, void* to, size_t bytes, off_t at) {
  return read_some(
      fd, [&] { return real<ssize_t (*)(int, void*, size_t, off_t)>("pread")(fd, to, bytes, at); });
}
ssize_t pread64(int fd, void* to, size_t bytes, off64_t at) { return pread(fd, to, bytes, at); }

int fsync(int fd) { return done_to(fd, 's', "fsync"); }
int fdatasync(int fd) { return done_to(fd, 's', "fdatasync"); }
int ftruncate(int fd, off_t bytes) noexcept {
  if (is_watched(fd) && next('t') != Fault::none) return -1;
  return real<int (*)(int, off_t)>("ftruncate")(fd, bytes);
}
int ftruncate64(int fd, off64_t bytes) noexcept { return ftruncate(fd, bytes); }
int unlink(const char* path) noexcept {
  if (is_ours(path) && next('d') != Fault::none) return -1;
  return real<int (*)(const char*)>("unlink")(path);
}

}  // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
