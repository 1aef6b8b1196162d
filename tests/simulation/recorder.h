// Records a simulated world: the history for the checker, a digest of every step, and one line of
// trace for each.
#pragma once

#include "history.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::testing {

// A delivery that left the broker: a malicious client may know it.
struct Overheard {
  std::string job;
  Token token = 0;
};

class Recorder {
 public:
  explicit Recorder(bool tracing) : tracing_(tracing) {}

  void set_now(std::int64_t now_ms) { now_ms_ = now_ms; }
  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }

  // Time is filled in.
  void add(HistoryEvent event);
  void add(EventKind kind, const std::string& word = {}, const std::string& name = {});
  // A step that is no event.
  void note(std::string_view what, std::string_view of = {}, std::uint64_t number = 0);
  [[nodiscard]] bool tracing() const { return tracing_; }

  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  void digest(std::uint64_t number);

  std::vector<Overheard> issued;          // newest last
  std::vector<std::string> acknowledged;  // jobs
  std::set<std::string> not_cancelled;    // jobs, as the answer to a cancel said
  std::string violation;                  // of what no history can show

 private:
  void digest(std::string_view text);

  bool tracing_;
  std::int64_t now_ms_ = 0;
  History history_;
  std::uint64_t digest_ = 0xcbf29ce484222325ULL;  // FNV-1a
};

}  // namespace millrace::testing
