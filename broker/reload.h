// What of a changed configuration takes effect while the broker runs, and what does not.
#pragma once

#include "config.h"

#include <string>
#include <vector>

namespace millrace {

// Settings that differ but are read only at the start, as the file spells them.
[[nodiscard]] std::vector<std::string> needs_restart(const Config& running, const Config& read);

// Topics that the file no longer names: they stay, with their settings.
[[nodiscard]] std::vector<std::string> topics_left_out(const Config& running, const Config& read);

}  // namespace millrace
