// The file of one key at the broker, NAME.toml in the folder of keys. It holds no secret: the
// public key, or the hash of a token.
//
//   public_key = "…"              40 characters, of millrace keys new
//   token_sha256 = "…"            64 hexadecimal digits: for HTTP
//   may = ["produce", "look"]     roles
//   topics = ["mail.*"]           patterns, * stands for any characters
//   expires = 2027-02-28          optional, also a time with an offset
//   revoked = 2026-12-24T10:00:00Z   optional: it does not count any more
//   comment = "the web servers"   optional
//   [quota]                       optional
//   connections = 100
//   enqueues_per_second = 1000    jobs, at each shard
//
// Threads: pure functions.
#pragma once

#include "access/key.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::access {

// path: for the errors, each a sentence with its place. Its name without .toml is the key's name.
[[nodiscard]] std::optional<Key> parse_key(const std::string& path, std::string_view text,
                                           std::vector<std::string>& errors);
[[nodiscard]] std::string write_key(const Key& key);
// "folder/web-1.toml" -> "web-1"
[[nodiscard]] std::string key_name_of(const std::string& path);

}  // namespace millrace::access
