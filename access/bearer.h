// Tokens of HTTP: the header Authorization: Bearer TOKEN (RFC 6750), held against the hashes in the
// key files.
// Threads: any.
#pragma once

#include "access/key_ring.h"

#include <millrace/result.h>

#include <cstdint>
#include <string_view>

namespace millrace::access {

// For the header WWW-Authenticate of an answer 401.
inline constexpr const char* bearer_challenge = "Bearer realm=\"millrace\"";

// The key of a token that counts; else unauthorized, with a sentence that never has the token.
[[nodiscard]] Result<KeyRef> bearer_key(const KeyRing& keys, std::string_view authorization,
                                        std::int64_t now_wall_ms);

// What a key lacks for a verb about a topic; empty text: of no topic. Success where it lacks
// nothing.
[[nodiscard]] Result<void> check_access(const Key& key, wire::Verb verb, std::string_view topic);

}  // namespace millrace::access
