// How keys, hashes and times of key files are written as text.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::access {

// 2026-11-29T04:10:00Z
[[nodiscard]] std::string time_text(std::int64_t unix_ms);
// Z85 of 32 bytes, as ZeroMQ reads it: whether each character and each group of five is possible.
[[nodiscard]] bool valid_curve_key(std::string_view text);
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

struct KeyPair {
  std::string public_key, secret_key;
};
[[nodiscard]] KeyPair new_key_pair();
// Of a secret key; empty if it is none.
[[nodiscard]] std::string public_key_of(const std::string& secret_key);
// Random, 256 bits, for the header Authorization: Bearer. Never stored: its hash is.
[[nodiscard]] std::string new_token();

}  // namespace millrace::access
