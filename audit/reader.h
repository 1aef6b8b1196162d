// Reading an audit log, beside the process that writes it: lines by a filter, and verification.
#pragma once

#include "audit/line.h"
#include "audit/verifier.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace millrace::audit {

struct Filter {
  std::optional<std::string> who, verb;
  std::optional<std::string> on_prefix;  // "thumbnails" finds the topic and its jobs
  std::optional<WallTime> since, until;  // since <= time < until
  bool refused = false;                  // only what was not answered ok
  std::optional<std::size_t> limit;      // only the last ones
};

[[nodiscard]] bool matches(const Filter& filter, const Line& line);

struct Found {
  Line line;
  std::string text;  // as it stands in the file
};

// Gives out the lines that match, oldest first, in bounded memory: that of `limit` lines, or of
// one. What is not a line is left out and described in the answer, the first hundred of them.
[[nodiscard]] Expected<std::vector<Finding>> read(const std::string& folder, const Filter& filter,
                                                  const std::function<void(const Found&)>& give);

[[nodiscard]] Expected<Report> verify(const std::string& folder, const Expectation& wanted);

}  // namespace millrace::audit
