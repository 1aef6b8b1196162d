// A history indexed by job: the input of each rule.
#pragma once

#include "checker.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace millrace::testing {

struct Seen {
  std::size_t at = 0;  // place in the history
  const HistoryEvent* event = nullptr;
};

[[nodiscard]] inline bool any_before(const std::vector<Seen>& seen, std::size_t at) {
  return !seen.empty() && seen.front().at < at;
}

// All that was seen of one tag, in order.
struct JobStory {
  std::string tag, job;  // job: empty as long as nobody has seen its id
  std::vector<Seen> enqueue, enqueued, refused, deliver, issued, bounced, settle, settled, cancel,
      cancelled, asked, told, rows;
  // What a violation calls it.
  [[nodiscard]] const std::string& name() const { return job.empty() ? tag : job; }
  // Of the settles that were accepted, the one that ended it.
  [[nodiscard]] const Seen* accepted_end() const;
  [[nodiscard]] bool sent(std::string_view outcome, std::size_t before = SIZE_MAX) const;
  [[nodiscard]] std::string_view topic() const;
  // The event in which the holder of a token was seen; null if there is none.
  [[nodiscard]] const Seen* delivery_of(Token token) const;
};

struct HistoryIndex {
  explicit HistoryIndex(const History& history);

  // At that place its row may be gone by right: its topic keeps no history, and a worker had
  // completed or cancelled it.
  [[nodiscard]] bool may_be_gone(const JobStory& story, std::size_t at = SIZE_MAX) const;

  std::map<std::string, JobStory> stories;            // by tag
  std::vector<Seen> orphans;                          // of a job or tag that nobody sent
  std::vector<std::size_t> broker_crashes;            // places
  std::set<std::string, std::less<>> history_topics;  // that keep the rows of jobs that are done
  std::vector<Seen> clocks, counts, ends;
  std::size_t backup_begins = 0, backup_ends = 0;
  bool faults_over = false;
  bool sees_issues = false;  // deliveries were also seen as they left
};

using Violations = std::vector<HistoryViolation>;
void check_jobs(const HistoryIndex& index, Violations& out);
void check_attempts(const HistoryIndex& index, Violations& out);
void check_tokens(const HistoryIndex& index, Violations& out);
void check_order(const HistoryIndex& index, Violations& out);
void check_told(const HistoryIndex& index, Violations& out);
void check_counts(const HistoryIndex& index, Violations& out);
void check_origin(const HistoryIndex& index, Violations& out);
void check_prefix(const HistoryIndex& index, std::size_t events, Violations& out);

}  // namespace millrace::testing
