// A read-only connection for queries of clients; each query is one short read.
#pragma once

#include "storage/sqlite_store.h"

#include <memory>
#include <string>

namespace millrace::storage {

[[nodiscard]] Expected<std::unique_ptr<Reader>> open_sqlite_reader(const SqliteOptions& options);

}  // namespace millrace::storage
