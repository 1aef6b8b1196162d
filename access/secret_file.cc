#include "access/secret_file.h"

#include "wire/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace millrace::access {
namespace {

constexpr mode_t secret_mode = S_IRUSR | S_IWUSR;

auto refused(const std::string& what) {
  return tl::unexpected(Error{ErrorCode::invalid, what, {}});
}

auto failed(const std::string& path, const char* doing) {
  return refused(path + ": cannot be " + doing + ": " + std::strerror(errno));
}

Result<void> write_whole(int fd, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(path, "written");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return failed(path, "written");
  return {};
}

Result<void> sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path();
  const wire::FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return failed(folder, "synced");
  return {};
}

}  // namespace

Result<void> write_new_secret_file(const std::string& path, const std::string& text) {
  const wire::FileDescriptor fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, secret_mode));
  if (fd.get() < 0 && errno == EEXIST) {
    return refused(path + " exists already: move it away or choose another path");
  }
  if (fd.get() < 0) return failed(path, "created");
  auto written = write_whole(fd.get(), path, text);
  if (!written) {
    ::unlink(path.c_str());
    return written;
  }
  return sync_folder_of(path);
}

Result<void> replace_file(const std::string& path, const std::string& text, unsigned mode) {
  const std::string next = path + ".new";
  ::unlink(next.c_str());
  const wire::FileDescriptor fd(::open(next.c_str(),
                                       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                                       static_cast<mode_t>(mode)));
  if (fd.get() < 0) return failed(next, "created");
  auto written = write_whole(fd.get(), next, text);
  if (written && ::rename(next.c_str(), path.c_str()) != 0) written = failed(path, "replaced");
  if (!written) {
    ::unlink(next.c_str());
    return written;
  }
  return sync_folder_of(path);
}

}  // namespace millrace::access
