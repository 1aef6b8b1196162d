// A job in the public interface: its id, its states, and its options at enqueue.
#pragma once

#include <millrace/export.h>
#include <millrace/result.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

// The partition that stores a job, and its place in the order of arrival there:
// "thumbnails/3/1842".
struct MILLRACE_EXPORT JobId {
  std::string topic;
  std::uint16_t partition = 0;
  std::uint64_t seq = 0;

  [[nodiscard]] std::string str() const;
  [[nodiscard]] static Result<JobId> parse(std::string_view text);
  friend bool operator==(const JobId&, const JobId&) = default;
};

enum class State : std::uint8_t {
  scheduled,  // waits for its due time
  blocked,    // waits for a parent
  available,
  running,
  retryable,  // failed, waits for its backoff
  completed,
  cancelled,
  dead,  // in the dead-letter queue
};

[[nodiscard]] MILLRACE_EXPORT std::string_view to_string(State state);
[[nodiscard]] MILLRACE_EXPORT std::optional<State> parse_state(std::string_view text);
[[nodiscard]] MILLRACE_EXPORT bool is_final(State state);

// A job to enqueue: {.topic = "images", .payload = "...", .delay = 30s}.
struct Job {
  std::string topic;
  std::string payload;          // any bytes, at most 1 MiB
  std::string key;              // jobs with the same key share a partition; empty: any partition
  std::optional<int> priority;  // 0 (first) to 9; default 5
  std::chrono::milliseconds delay{0};  // from now; together with run_at: refused
  std::optional<std::chrono::system_clock::time_point>
      run_at;                       // from 1970 on; in the past: at once
  std::optional<int> max_attempts;  // default: the topic's
  // Metadata that the worker receives beside the payload, for example a trace id: strings in UTF-8,
  // at most 32 headers, together at most 1 KiB as msgpack; a name must not be empty.
  std::map<std::string, std::string> headers;
};

// Validates a job as a Producer does before it sends anything, with the error of Enqueued::error:
// an invalid topic name, an exceeded bound, fields that exclude each other. For programs that
// receive jobs from users.
[[nodiscard]] MILLRACE_EXPORT Result<void> check(const Job& job);

}  // namespace millrace
