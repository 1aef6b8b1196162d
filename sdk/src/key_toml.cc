#include "key_toml.h"

#include "options.h"

#include <algorithm>
#include <cstddef>

namespace millrace {
namespace {

// The line of the first one; 0: none. The parser has undefined behaviour where letters beyond ASCII
// stand outside of quotes (toml++ 3.3.0).
std::size_t line_beyond_ascii(const std::string& text) {
  const auto at = std::find_if(text.begin(), text.end(),
                               [](char c) { return static_cast<unsigned char>(c) >= 0x80U; });
  if (at == text.end()) return 0;
  return 1 + static_cast<std::size_t>(std::count(text.begin(), at, '\n'));
}

}  // namespace

Result<toml::table> parse_key_toml(const std::string& text, const std::string& path,
                                   const std::string& what) {
  if (const auto line = line_beyond_ascii(text); line != 0) {
    return tl::unexpected(invalid(path + ":" + std::to_string(line) +
                                  ": has a character that is not ASCII, which no key file needs"));
  }
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& e) {
    // Without the words of the parser, which may quote the secret.
    return tl::unexpected(
        invalid(path + ":" + std::to_string(e.source().begin.line) + ": is not " + what));
  }
}

}  // namespace millrace
