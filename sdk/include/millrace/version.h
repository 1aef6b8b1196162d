// The version that a program was compiled with, and the version of the library that it runs with.
// Applications that are compiled with the headers of one minor version run only with libraries of
// that minor version, until 1.0 (docs/api-stability.md): ConnectionOptions carries the number, and
// another library refuses it.
#pragma once

#include <millrace/export.h>

#include <cstdint>
#include <string_view>

// sdk/CMakeLists.txt checks that this is the version of the build.
#define MILLRACE_VERSION_MAJOR 0
#define MILLRACE_VERSION_MINOR 2
#define MILLRACE_VERSION_PATCH 0
#define MILLRACE_VERSION "0.2.0"
// For #if: 0.2.0 is 2000, 1.12.3 is 1012003.
#define MILLRACE_VERSION_NUMBER \
  (MILLRACE_VERSION_MAJOR * 1000000 + MILLRACE_VERSION_MINOR * 1000 + MILLRACE_VERSION_PATCH)

namespace millrace {

// The version of the library that runs: "0.2.0".
[[nodiscard]] MILLRACE_EXPORT std::string_view version();
[[nodiscard]] MILLRACE_EXPORT std::uint32_t version_number();

}  // namespace millrace
