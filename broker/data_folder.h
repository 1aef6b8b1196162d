// Checks of the folders in the settings before anything is opened: reasons why the broker cannot
// start on them; and the note in the data folder that records the number of shards it was created
// with.
#pragma once

#include "config.h"

#include <string>
#include <vector>

namespace millrace {

// A sentence for each reason why the broker would not start. Paths that cannot be read are ignored.
[[nodiscard]] std::vector<std::string> wrong_with_folders(const Config& config);

// A sentence for each folder that is missing and needed at the start; systemd creates the unit's
// folders when it starts it.
[[nodiscard]] std::vector<std::string> missing_folders(const Config& config);

// Writes that note. Empty when it is done, else a sentence.
[[nodiscard]] std::string remember_shards(const Config& config);

}  // namespace millrace
