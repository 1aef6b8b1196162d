// A read-only connection for questions of people; each question is one short read.
#pragma once

#include "storage/store.h"

#include <memory>
#include <string>

namespace millrace::storage {

[[nodiscard]] Expected<std::unique_ptr<Reader>> open_sqlite_reader(const std::string& path);

}  // namespace millrace::storage
