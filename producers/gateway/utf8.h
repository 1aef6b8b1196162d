// UTF-8: the length of a character, and a character from its number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::gateway {

// Bytes of the character in front, 0 where it is none: a lone or missing byte, a longer form than
// needed, a surrogate, or beyond U+10FFFF.
[[nodiscard]] std::size_t utf8_length(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);
void append_utf8(std::string* out, std::uint32_t point);

}  // namespace millrace::gateway
