// Who may read what the broker makes: its owner and its group, and nobody else, whatever the umask
// of whoever started it says.
#pragma once

#include "config.h"

#include <string>
#include <vector>

namespace millrace {

// Files, folders and sockets that are made from here on are closed to others. A umask that shuts
// the group out as well is kept.
void close_to_others();

// A sentence for each folder of the settings that is open to others, with the command that closes
// it; the files of an older version lie in it as open as they were made.
[[nodiscard]] std::vector<std::string> open_to_others(const Config& config);

}  // namespace millrace
