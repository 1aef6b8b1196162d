// Where a log continues: finds its last line, and moves an incomplete one at the end out of the
// way.
#pragma once

#include "audit/files.h"

#include <string>
#include <vector>

namespace millrace::audit {

// The end of the chain, and of the file that the next line goes to.
struct Tip {
  std::uint64_t seq = 0;
  std::string hash{no_hash};
  std::uint64_t file = 1, bytes = 0;
};

struct Recovered {
  Tip tip;
  std::vector<Entry> remarks;  // what was found, for the log itself
};

// For the process that holds the log's lock.
[[nodiscard]] Expected<Recovered> recover(const std::string& folder);

}  // namespace millrace::audit
