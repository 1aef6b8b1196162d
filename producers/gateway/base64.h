// Base64 (RFC 4648) in its standard alphabet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::gateway {

// With its padding or without; nothing where it is malformed or its last bits are not zero.
[[nodiscard]] std::optional<std::string> base64_decoded(std::string_view text);
[[nodiscard]] std::string base64_encoded(std::string_view bytes);

}  // namespace millrace::gateway
