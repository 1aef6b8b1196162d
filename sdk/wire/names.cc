// Rules for names that clients and brokers share: topics, job ids, the partition of a key; and the
// names in messages, from their lists.
#include "wire/codec.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace millrace::wire {
namespace {

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

template <typename T>
bool parse_number(std::string_view text, T& value) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

bool valid_topic(std::string_view topic) {
  if (topic.empty() || topic.size() > topic_bytes_max || !letter_or_digit(topic.front())) {
    return false;
  }
  return std::all_of(topic.begin(), topic.end(),
                     [](char c) { return letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

Result<JobRef> parse_job(std::string_view text) {
  const auto second = text.rfind('/');
  const auto first = second == std::string_view::npos || second == 0 ? std::string_view::npos
                                                                     : text.rfind('/', second - 1);
  JobRef ref;
  if (first == std::string_view::npos || !valid_topic(text.substr(0, first)) ||
      !parse_number(text.substr(first + 1, second - first - 1), ref.partition) ||
      !parse_number(text.substr(second + 1), ref.seq) || ref.seq == 0) {
    return tl::unexpected(
        Error{ErrorCode::invalid,
              "a job id has the form topic/partition/number, for example thumbnails/3/1842",
              {}});
  }
  ref.topic = text.substr(0, first);
  return ref;
}

std::string job_text(std::string_view topic, std::uint16_t partition, std::uint64_t seq) {
  std::string text;
  text.reserve(topic.size() + 28);
  text.append(topic).append(1, '/').append(std::to_string(partition)).append(1, '/');
  return text.append(std::to_string(seq));
}

// FNV-1a, 64 bits (Fowler, Noll, Vo), its halves folded because its low bits alone are weak.
std::uint16_t partition_of(std::string_view key, std::uint16_t partitions) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : key) {
    hash ^= static_cast<std::uint8_t>(c);
    hash *= 0x100000001b3ULL;
  }
  return static_cast<std::uint16_t>((hash ^ (hash >> 32U)) % partitions);
}

std::string_view verb_name(std::uint64_t verb) {
  switch (static_cast<Verb>(verb)) {
#define MILLRACE_VERB(name, number, kind, permission) \
  case Verb::name: return #name;
    MILLRACE_VERBS(MILLRACE_VERB)
#undef MILLRACE_VERB
  }
  return "unknown";
}

std::optional<VerbKind> verb_kind(std::uint64_t verb) {
  if (verb > std::numeric_limits<std::uint8_t>::max()) return std::nullopt;
  switch (static_cast<Verb>(verb)) {
#define MILLRACE_VERB(name, number, kind, permission) \
  case Verb::name: return VerbKind::kind;
    MILLRACE_VERBS(MILLRACE_VERB)
#undef MILLRACE_VERB
  }
  return std::nullopt;
}

Permission verb_permission(Verb verb) {
  switch (verb) {
#define MILLRACE_VERB(name, number, kind, permission) \
  case Verb::name: return Permission::permission;
    MILLRACE_VERBS(MILLRACE_VERB)
#undef MILLRACE_VERB
  }
  return Permission::none;
}

std::string_view backup_state_name(BackupState state) {
  switch (state) {
#define MILLRACE_BACKUP_STATE(name) \
  case BackupState::name: return #name;
    MILLRACE_BACKUP_STATES(MILLRACE_BACKUP_STATE)
#undef MILLRACE_BACKUP_STATE
  }
  return backup_state_name(BackupState::none);
}

BackupState parse_backup_state(std::string_view text) {
#define MILLRACE_BACKUP_STATE(name) \
  if (text == #name) return BackupState::name;
  MILLRACE_BACKUP_STATES(MILLRACE_BACKUP_STATE)
#undef MILLRACE_BACKUP_STATE
  return BackupState::none;
}

}  // namespace millrace::wire
