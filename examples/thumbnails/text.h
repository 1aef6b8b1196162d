// Text for people to read and paste: paths may hold any bytes, so special characters are escaped
// for a terminal and a shell.
#pragma once

#include <string>
#include <string_view>

namespace quickstart {

// As one word of a shell.
[[nodiscard]] std::string shell_word(std::string_view text);
// On one line, what a terminal could obey and what is not ASCII escaped.
[[nodiscard]] std::string shown(std::string_view text);
// Between quotes, for JSON and TOML alike.
[[nodiscard]] std::string in_quotes(std::string_view text);
// A file's name that any program takes: other characters become _, at most 40 bytes.
[[nodiscard]] std::string plain_name(std::string_view text);

}  // namespace quickstart
