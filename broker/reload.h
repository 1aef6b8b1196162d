// A configuration that was changed while the broker runs: which settings take effect at once, and
// which need a restart.
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
