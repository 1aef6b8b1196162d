// A line of the audit log: its fields, its one JSON spelling, and its hash. The hash is SHA-256
// over the line without the member "hash", so it covers "prev", the hash of the line before.
#pragma once

#include "audit/failure.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::audit {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

inline constexpr std::size_t line_bytes_max = 8'192;  // with its newline
inline constexpr std::size_t hash_digits = 64;
// What the line before the first one would have.
inline constexpr std::string_view no_hash =
    "0000000000000000000000000000000000000000000000000000000000000000";

// Bounds of the texts as they are written, in bytes.
inline constexpr std::size_t who_bytes_max = 512;
inline constexpr std::size_t from_bytes_max = 256;
inline constexpr std::size_t verb_bytes_max = 64;
inline constexpr std::size_t on_bytes_max = 2'048;
inline constexpr std::size_t result_bytes_max = 64;
inline constexpr std::size_t message_bytes_max = 2'048;

struct Entry {
  std::string who;            // the name of an identity, or "local uid N"
  std::string from;           // an address, or "ipc"
  std::string verb;           // "pause"
  std::string on;             // what it concerns: a topic, a job, a count in words
  std::string result = "ok";  // or the code of the error
  std::string message{};      // the sentence of the error
};

struct Line {
  std::uint64_t seq = 0;  // from 1, without gaps
  WallTime time{};
  Entry entry;
  std::string prev{no_hash};
  std::string hash{};
};

// The names that the log itself writes: as who, and as verbs.
inline constexpr std::string_view own_name = "audit log";
inline constexpr std::string_view verb_created = "log_created";
inline constexpr std::string_view verb_continued =
    "log_continued";  // a new file, on: the one before
inline constexpr std::string_view verb_tail_moved = "tail_moved";
inline constexpr std::string_view verb_head_mismatch = "head_mismatch";

[[nodiscard]] inline bool is_own(const Line& line, std::string_view verb) {
  return line.entry.who == own_name && line.entry.verb == verb;
}

// A text as it stands between quotes. Control characters, what is not UTF-8, and characters that
// change the direction of writing become U+FFFD; a text beyond the bound ends with an ellipsis.
[[nodiscard]] std::string escaped(std::string_view text, std::size_t bytes_max);
// 2026-11-29T04:22:02.123Z
[[nodiscard]] std::string time_text(WallTime time);
// Sets line.hash; without the newline.
[[nodiscard]] std::string encode(Line& line);
// The fields of exactly what encode() writes. Any other text is an error that says where; whether
// the hash is right is not looked at.
[[nodiscard]] Expected<Line> decode(std::string_view text);
// The hash that a text which decode() takes must have.
[[nodiscard]] std::string hash_of_line(std::string_view text);
[[nodiscard]] std::string sha256(std::string_view bytes);  // in hex
[[nodiscard]] bool is_hash(std::string_view text);         // 64 digits, small letters

}  // namespace millrace::audit
