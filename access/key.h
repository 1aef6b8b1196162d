// A key: who holds it (its name is the identity of its connections), what it may do, and for which
// topics. Nothing is allowed that a key does not name.
// Threads: values, pure functions.
#pragma once

#include "wire/messages.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::access {

inline constexpr std::size_t key_name_bytes_max = 64;
inline constexpr std::size_t patterns_max = 64;
inline constexpr std::size_t public_key_bytes = 40;  // Z85, as ZeroMQ writes Curve25519 keys

// Each role is a set of permissions; the table of verbs names the permission that a verb needs.
//   produce  enqueue
//   work     subscribe to topics, receive their jobs and settle them
//   look     every question: topics, jobs with their payloads, workers, status
//   operate  look, and create topics, pause, resume, cancel, requeue and purge
//   admin    everything, backups too
enum class Role : std::uint8_t { produce, work, look, operate, admin };

// Bounds of one key at each shard; 0: none.
struct Quota {
  std::uint64_t connections = 0;
  std::uint64_t enqueues_per_second = 0;  // jobs
};

struct Key {
  std::string name;
  std::string public_key;    // Z85; empty: this key has a token alone
  std::string token_sha256;  // hex; empty: no token
  std::vector<Role> may;
  std::vector<std::string> topics;  // patterns: * stands for any characters
  std::int64_t expires_ms = 0;      // Unix time; 0: never
  std::int64_t revoked_ms = 0;      // Unix time; 0: it was not revoked
  Quota quota;
  std::string comment;
};

[[nodiscard]] std::string_view role_name(Role role);
[[nodiscard]] std::string role_names();  // all of them, for messages
[[nodiscard]] const Role* parse_role(std::string_view text);

[[nodiscard]] bool valid_key_name(std::string_view name);
[[nodiscard]] bool valid_pattern(std::string_view pattern);

[[nodiscard]] bool allows(const Key& key, wire::Permission permission);
[[nodiscard]] bool covers(const Key& key, std::string_view topic);
[[nodiscard]] bool covers_all(const Key& key);  // every topic, those of tomorrow too
// Whether what one of them was allowed to do, the other is, too: name, roles and topics.
[[nodiscard]] bool same_rights(const Key& one, const Key& other);

// Empty, or why it does not count at that time of the clock: it was revoked or has expired.
[[nodiscard]] std::string why_invalid(const Key& key, std::int64_t now_wall_ms);

// Why a verb is refused, in a sentence for the one who sent it.
[[nodiscard]] std::string lacks_permission(const Key& key, wire::Verb verb,
                                           wire::Permission permission);
[[nodiscard]] std::string lacks_topic(const Key& key, std::string_view topic);

}  // namespace millrace::access
