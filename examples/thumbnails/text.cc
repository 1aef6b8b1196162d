#include "text.h"

#include <cstdio>

namespace quickstart {
namespace {

constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

bool harmless(unsigned char c) { return c >= 0x20 && c < 0x7f; }

// \n has a name of its own, for it is the one that people know.
std::string escaped(unsigned char c) {
  if (c == '\n') return "\\n";
  char text[8];
  std::snprintf(text, sizeof text, "\\x%02x", c);
  return text;
}

}  // namespace

std::string shell_word(std::string_view text) {
  const std::string plain = std::string(letters) + "/:,=+@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += harmless(byte) ? std::string(1, c) : escaped(byte);
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    char code[8];
    if (byte < 0x20 || byte == 0x7f) {
      std::snprintf(code, sizeof code, "\\u%04x", byte);
      out += code;
    } else {
      if (byte == '"' || byte == '\\') out += '\\';
      out += text[i];
    }
  }
  return out + "\"";
}

std::string plain_name(std::string_view text) {
  constexpr std::size_t bytes_max = 40;
  std::string out(text.substr(0, bytes_max));
  for (char& c : out) {
    if (letters.find(c) == std::string_view::npos) c = '_';
  }
  return out;
}

}  // namespace quickstart
