// A history: the observations of producers and workers during one run of a broker, and the rows on
// the disk at its end, in the order of one recorder. JSON lines, one event each:
// {"e":"enqueued","t":17,"tag":"p1-4", "job":"t/0/9"}; t is monotonic microseconds. A tag is a
// job's name before it has an id: unique, and the front of its payload up to the first space. The
// fields of each event stand in kinds[] of history.cc, those that may be left out marked so. Events
// that only a simulator can observe are optional too: issued and bounced (a delivery left the
// broker, or could not be sent), clock (the wall clock was observed at a time), backup and
// backed_up; asked and told (a client queried a job, and the answer was a state or not_found) exist
// where clients send queries.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::testing {

enum class EventKind : std::uint8_t {
  enqueue,
  enqueued,
  refused,
  unknown,
  deliver,
  issued,
  bounced,
  settle,
  settled,
  stale,
  cancel,
  cancelled,
  asked,
  told,
  crash,
  start,
  clock,
  backup,
  backed_up,
  faults_over,
  final,
  counts,
  end,
};

using Token = std::uint64_t;  // epoch (24 bits) and number (40 bits); [epoch, number] in JSON

struct HistoryEvent {
  EventKind kind = EventKind::end;
  std::int64_t t = 0;
  std::string tag, job, by, topic, key;
  // outcome of a settle, state of a row or of an answer, code of a refusal, of of a crash or
  // start, integrity of the end
  std::string word;
  std::string reason, name;  // of a dead row; of a process
  Token token = 0;
  std::uint32_t attempt = 0, deaths = 0;  // attempts, of a row
  std::optional<std::int64_t> run_at_ms, wall_ms;
  std::optional<std::uint32_t> attempts_max, priority;
  std::map<std::string, std::uint64_t> counts;
};
using History = std::vector<HistoryEvent>;

// Adds the event of one line. Empty, or what is wrong with it.
[[nodiscard]] std::string read_event(std::string_view line, History& to);
[[nodiscard]] std::string write_event(const HistoryEvent& event);
[[nodiscard]] std::string_view to_string(EventKind kind);
// Of a state; a job that has ended keeps it.
[[nodiscard]] constexpr bool is_final(std::string_view state) {
  return state == "completed" || state == "cancelled" || state == "dead";
}
inline constexpr std::string_view not_found = "not_found";  // as the state in an answer to a query
// "[epoch,number]"
[[nodiscard]] std::string token_text(Token token);
[[nodiscard]] constexpr Token token_of(std::uint64_t epoch, std::uint64_t number) {
  return epoch << 40U | number;
}

}  // namespace millrace::testing
