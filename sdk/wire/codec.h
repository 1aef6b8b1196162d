// Encodes structs to frames and decodes frames to structs. Decoding never trusts a length: it
// checks bytes, nesting and the total of elements before it uses them, allocates no more than the
// frame's own size allows, and answers every malformed frame with an Error (invalid or too_large)
// that names the field. Threads: pure functions.
#pragma once

#include "wire/limits.h"
#include "wire/messages.h"

#include <millrace/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::wire {

[[nodiscard]] std::string encode_header(Verb verb, std::uint64_t correlation);
[[nodiscard]] Result<Header> decode_header(std::string_view frame);

// encode(message) gives the body frame. decode<Message>(frame) reads one; both exist for every
// struct of messages.h that is a body (both directions, for both sides and the tests use them).
// Flag is written under both of its names by its verb: see encode_flag.
template <typename Message>
[[nodiscard]] std::string encode(const Message& message);
template <typename Message>
[[nodiscard]] Result<Message> decode(std::string_view frame);
[[nodiscard]] std::string encode_flag(std::string_view name,
                                      bool value);  // decode<Flag> takes either

// Calls told for each topic that a body names as the one it is about, by its name or by a job of
// it, until told returns false; then it returns false itself. Fields that ask for a filter or
// report what a session holds (Topology::topics, Hello::held) are not among them. One rule for
// every body, so that no verb can forget a topic.
template <typename Message>
[[nodiscard]] bool each_topic(const Message& message,
                              const std::function<bool(std::string_view topic)>& told);

// Checks that the frame is one well-formed msgpack value within the bounds, nothing after it.
[[nodiscard]] Result<void> check_frame(std::string_view frame);

// Shared rules, so that both sides refuse the same things.
[[nodiscard]] bool valid_topic(std::string_view topic);
[[nodiscard]] Result<JobRef> parse_job(std::string_view text);  // view into text
[[nodiscard]] std::string job_text(std::string_view topic, std::uint16_t partition,
                                   std::uint64_t seq);
[[nodiscard]] std::uint16_t partition_of(std::string_view key, std::uint16_t partitions);
[[nodiscard]] std::string_view verb_name(std::uint64_t verb);         // "enqueue"; "unknown"
[[nodiscard]] std::optional<VerbKind> verb_kind(std::uint64_t verb);  // none: an unknown verb
[[nodiscard]] Permission verb_permission(Verb verb);
[[nodiscard]] std::string_view backup_state_name(BackupState state);
[[nodiscard]] BackupState parse_backup_state(std::string_view text);  // none: no such name

}  // namespace millrace::wire
