#include "wire/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace millrace::wire {
namespace {

constexpr std::string_view credentials_variable = "$CREDENTIALS_DIRECTORY/";

auto bad_file(const std::string& what) {
  return tl::unexpected(Error{ErrorCode::invalid, what, {}});
}

bool is_credential(const std::string& path) {
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  return folder != nullptr && *folder != '\0' && path.rfind(std::string(folder) + "/", 0) == 0;
}

// systemd lets the unit's user read a credential by an access list, which shows as read access of
// the group.
mode_t modes_of_others(const std::string& path) {
  const mode_t others = S_IRWXG | S_IRWXO;
  return is_credential(path) ? others & ~static_cast<mode_t>(S_IRGRP) : others;
}

constexpr mode_t secret_mode = S_IRUSR | S_IWUSR;

auto failed(const std::string& path, const char* doing) {
  return bad_file(path + ": cannot be " + doing + ": " + std::strerror(errno));
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
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return failed(folder, "synced");
  return {};
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::string credential_path(const std::string& path) {
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (path.rfind(credentials_variable, 0) != 0 || folder == nullptr) return path;
  return std::string(folder) + "/" + path.substr(credentials_variable.size());
}

Result<std::string> read_secret_file(const std::string& path) {
  if (path.rfind(credentials_variable, 0) == 0) {
    return bad_file(path +
                    " cannot be read: CREDENTIALS_DIRECTORY is not set here. systemd sets it for a "
                    "unit with LoadCredential=; elsewhere set it to the folder of the file");
  }
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found {};
  if (fd.get() < 0 || ::fstat(fd.get(), &found) != 0)
    return bad_file(path + " cannot be read: " + std::strerror(errno));
  if (!S_ISREG(found.st_mode)) return bad_file(path + " is not a file");
  if ((found.st_mode & modes_of_others(path)) != 0) {
    return bad_file(path + " holds a secret and other users can access it: run chmod 600 on it");
  }
  if (found.st_uid != 0 && found.st_uid != ::geteuid()) {
    return bad_file(path +
                    " holds a secret and belongs to another user: it must belong to the user "
                    "of this program or to root");
  }
  if (found.st_size > static_cast<off_t>(secret_file_bytes_max)) {
    return bad_file(path + " is larger than 64 KiB: it is no key file");
  }
  std::string text(static_cast<std::size_t>(found.st_size), '\0');
  std::size_t at = 0;
  while (at < text.size()) {
    const auto count = ::read(fd.get(), text.data() + at, text.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return bad_file(path + " cannot be read: " + std::strerror(errno));
    if (count == 0) break;
    at += static_cast<std::size_t>(count);
  }
  text.resize(at);
  return text;
}

Result<void> write_new_secret_file(const std::string& path, const std::string& text) {
  const FileDescriptor fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, secret_mode));
  if (fd.get() < 0 && errno == EEXIST) {
    return bad_file(path + " exists already: move it away or choose another path");
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
  const FileDescriptor fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
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

}  // namespace millrace::wire
