// A SQLite VFS on a SimDisk.
#pragma once

#include <sqlite3.h>

namespace millrace::testing {

class SimDisk;

// Filled in, not registered; disk and name must outlive it.
[[nodiscard]] sqlite3_vfs sim_vfs(SimDisk& disk, const char* name);

}  // namespace millrace::testing
