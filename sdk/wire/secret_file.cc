#include "wire/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace millrace::wire {
namespace {

auto bad_file(const std::string& what) {
  return tl::unexpected(Error{ErrorCode::invalid, what, {}});
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::string credential_path(const std::string& path) {
  constexpr std::string_view variable = "$CREDENTIALS_DIRECTORY/";
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (path.rfind(variable, 0) != 0 || folder == nullptr) return path;
  return std::string(folder) + "/" + path.substr(variable.size());
}

Result<std::string> read_secret_file(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found {};
  if (fd.get() < 0 || ::fstat(fd.get(), &found) != 0)
    return bad_file(path + " cannot be read: " + std::strerror(errno));
  if (!S_ISREG(found.st_mode)) return bad_file(path + " is not a file");
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
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

}  // namespace millrace::wire
