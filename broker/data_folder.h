// What the folders of the settings say against a start, before anything is opened; and the note in
// the data folder of how many shards it was made with.
#pragma once

#include "config.h"

#include <string>
#include <vector>

namespace millrace {

// A sentence for each thing that the start would refuse. What may not be read is passed over.
[[nodiscard]] std::vector<std::string> wrong_with_folders(const Config& config);

// A sentence for each folder that is not there, and that the start needs; systemd makes those of
// the unit at its start.
[[nodiscard]] std::vector<std::string> missing_folders(const Config& config);

// Writes that note. Empty when it is done, else a sentence.
[[nodiscard]] std::string remember_shards(const Config& config);

}  // namespace millrace
