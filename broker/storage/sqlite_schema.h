// Opens a file: the checks whose cost does not grow with the file, the settings that durability
// depends on, the migrations.
#pragma once

#include "storage/sqlite_handle.h"
#include "storage/sqlite_store.h"

#include <cstdint>

namespace millrace::storage {

inline constexpr std::int64_t application_id = 0x4d494c4c;  // "MILL"

// The one connection that writes and checkpoints. A WAL above wal_bytes_max is
// truncated when it starts again.
[[nodiscard]] Expected<Database> open_writer(const SqliteOptions& options);
// False for a file that was made by a version without them.
[[nodiscard]] bool has_checksums(const Database& db);
[[nodiscard]] Expected<Database> open_reader(const SqliteOptions& options);

}  // namespace millrace::storage
