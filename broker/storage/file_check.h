// The checks before SQLite opens a file, at a cost that does not grow with the file: the header,
// the first page's checksum, and whether the write-ahead log still has every commit that was
// synced. A log that ends in a torn commit is accepted: that commit was never acknowledged.
#pragma once

#include "storage/files.h"
#include "storage/store.h"

#include <string>

namespace millrace::storage {

// Changes nothing, except: a file that another program wrote page by page (a copy made by VACUUM
// INTO) gets its checksums now, once, which takes as long as the file is large.
[[nodiscard]] Expected<void> check_file(Files& files, const std::string& path);

// The failure for a damaged file: the damage that was found, and what to do.
[[nodiscard]] Failure damaged(const std::string& path, const std::string& what);

}  // namespace millrace::storage
