// The versions of the loaded libraries with which the broker refuses to start. They are linked
// dynamically, so the version that runs may be another one than the broker was built with.
#pragma once

#include <compare>
#include <string>
#include <vector>

namespace millrace {

struct LibraryVersion {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const LibraryVersion&) const = default;
};

// As SQLite numbers its versions: 3040001 is 3.40.1.
[[nodiscard]] LibraryVersion sqlite_version_of(int number);
[[nodiscard]] std::string to_string(const LibraryVersion& version);

// A sentence for each library that is refused: what is wrong, and what to install.
[[nodiscard]] std::vector<std::string> wrong_with_libraries(const LibraryVersion& sqlite,
                                                            const LibraryVersion& zmq);

}  // namespace millrace
