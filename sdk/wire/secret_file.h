// Files that hold a secret key or a token: read only if nobody else can read them, and written so
// that nobody else ever could. Shared, so that broker, SDK and programs refuse the same files.
// Threads: any.
#pragma once

#include <millrace/result.h>

#include <cstddef>
#include <string>

namespace millrace::wire {

inline constexpr std::size_t secret_file_bytes_max = 64U << 10;

// $CREDENTIALS_DIRECTORY/name becomes the path of a credential of systemd (LoadCredential=); other
// paths stay as they are.
[[nodiscard]] std::string credential_path(const std::string& path);

// An error sentence, which never has a part of the secret, for a file that is missing, too large,
// or readable by other users. path: as credential_path() gave it.
[[nodiscard]] Result<std::string> read_secret_file(const std::string& path);

// A new file, mode 0600, whole and on disk, or none. A file that exists is an error.
[[nodiscard]] Result<void> write_new_secret_file(const std::string& path, const std::string& text);
// In place of a file that may exist, by rename; with these permissions.
[[nodiscard]] Result<void> replace_file(const std::string& path, const std::string& text,
                                        unsigned mode);

// A descriptor that closes itself.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace millrace::wire
