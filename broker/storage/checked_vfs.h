// A layer over SQLite's file system layer. Pages of a database whose header reserves room for it
// carry a checksum: written with each page, looked at with each page that is read, so that damage
// is an error and never data. And each sync of the write-ahead log is noted (synced_mark.h).
//
// SQLite writes the first page of a new database last, and so tells too late that its pages are to
// carry checksums: whoever makes one that is larger than the page cache says so in its URI, with
// page_bytes_option.
//
// A file without the reserved bytes (made by an older version) passes through unchecked. SQLite
// without this layer reads either, and must write neither.
#pragma once

#include <cstddef>
#include <string>

namespace millrace::storage {

inline constexpr const char* page_bytes_option = "page_bytes";

// The name under which SQLite opens files through the layer. base: SQLite's name of the layer
// below, null for its own choice.
[[nodiscard]] std::string checked_vfs(const char* base);

// The damage that this thread met last, as a sentence; empty if none.
[[nodiscard]] const std::string& page_damage();

}  // namespace millrace::storage
