// Writes files that hold a secret key or a token, so that nobody else ever could read them, and the
// files of keys beside them.
// Threads: any.
#pragma once

#include <millrace/result.h>

#include <string>

namespace millrace::access {

// A new file, mode 0600, whole and on disk, or none. A file that exists is an error.
[[nodiscard]] Result<void> write_new_secret_file(const std::string& path, const std::string& text);
// In place of a file that may exist, by rename; with these permissions.
[[nodiscard]] Result<void> replace_file(const std::string& path, const std::string& text,
                                        unsigned mode);

}  // namespace millrace::access
