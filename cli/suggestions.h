// Words that were typed: the known one that an unknown one is nearest to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

// Empty when none is near enough to be meant.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);
// "; did you mean 'jobs'?", or nothing.
[[nodiscard]] std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace millrace::cli
