// The numbered migrations, in order: text i brings a file from version i to version i + 1.
#pragma once

#include <span>

namespace millrace::storage {

[[nodiscard]] std::span<const char* const> migrations();

}  // namespace millrace::storage
