// What a job is to the people who use it: its id, its states, and what is asked for at enqueue.
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

// Where a job lives and its place in the order of arrival there: "thumbnails/3/1842".
struct MILLRACE_EXPORT JobId {
  std::string topic;
  std::uint16_t partition = 0;
  std::uint64_t seq = 0;

  [[nodiscard]] std::string str() const;
  [[nodiscard]] static Result<JobId> parse(std::string_view text);
  friend bool operator==(const JobId&, const JobId&) = default;
};

enum class State : std::uint8_t {
  scheduled,  // its time has not come
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
  std::string payload;                 // any bytes, at most 1 MiB
  std::string key;                     // jobs with one key share a partition; empty: any partition
  std::optional<int> priority;         // 0 (first) to 9; default 5
  std::chrono::milliseconds delay{0};  // from now; together with run_at: refused
  std::optional<std::chrono::system_clock::time_point> run_at;  // from 1970 on; past: at once
  std::optional<int> max_attempts;                              // default: the topic's
  // Carried to the worker beside the payload, for example a trace id: texts in UTF-8, at most 32,
  // together at most 1 KiB as msgpack; a name is not empty.
  std::map<std::string, std::string> headers;
};

// What a producer refuses before it sends anything, as Producer says it in Enqueued::error: a name
// that is no topic's, a bound that is passed, a contradiction. For fronts that take jobs from
// others.
[[nodiscard]] MILLRACE_EXPORT Result<void> check(const Job& job);

}  // namespace millrace
