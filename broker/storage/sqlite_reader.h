// A read-only connection for questions of people; each question is one short read.
#pragma once

#include "storage/sqlite_store.h"

#include <memory>
#include <string>

namespace millrace::storage {

[[nodiscard]] Expected<std::unique_ptr<Reader>> open_sqlite_reader(const SqliteOptions& options);

}  // namespace millrace::storage
