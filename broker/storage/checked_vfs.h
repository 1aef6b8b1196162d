// A VFS layer over SQLite's own VFS. Pages of a database whose header reserves space for it carry a
// checksum: written with each page and verified with each page that is read, so that damage is an
// error and never data. And after each sync of the write-ahead log its length is recorded
// (synced_mark.h).
//
// SQLite writes the first page of a new database last, and so reports too late that its pages have
// checksums: code that creates a database larger than the page cache states it in the URI, with
// page_bytes_option.
//
// A file without the reserved bytes (created by an older version) is read and written unchecked.
// SQLite without this layer can read both kinds, and must write neither.
#pragma once

#include <cstddef>
#include <string>

namespace millrace::storage {

inline constexpr const char* page_bytes_option = "page_bytes";

// The name under which SQLite opens files through the layer. base: SQLite's name of the layer
// below, null for its own choice.
[[nodiscard]] std::string checked_vfs(const char* base);

// The damage that this thread found last, as a sentence; empty if none.
[[nodiscard]] const std::string& page_damage();

}  // namespace millrace::storage
