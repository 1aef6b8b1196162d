// Permissions of the files that the broker creates: accessible to its owner and its group only,
// whatever the umask of the process that started it is.
#pragma once

#include "config.h"

#include <string>
#include <vector>

namespace millrace {

// Files, folders and sockets that are created from here on are closed to other users. A umask that
// also excludes the group is kept.
void close_to_others();

// A sentence for each folder of the settings that is open to others, with the command that closes
// it; files of an older version in it keep their mode.
[[nodiscard]] std::vector<std::string> open_to_others(const Config& config);

}  // namespace millrace
