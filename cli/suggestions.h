// Suggestions for misspelt words: the known word that is nearest to an unknown one.
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
