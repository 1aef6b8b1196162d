// Builds histories for the tests of the checker, in short notation.
#pragma once

#include "checker.h"

#include <algorithm>
#include <string>
#include <vector>

namespace millrace::testing {

// Tells a history of topic "t", one partition, job n of tag "n".
class HistoryBuilder {
 public:
  HistoryEvent& event(EventKind kind) {
    history_.push_back({});
    history_.back().kind = kind;
    history_.back().t = static_cast<std::int64_t>(history_.size());
    return history_.back();
  }
  HistoryEvent& of(EventKind kind, int n, const std::string& word = {}) {
    HistoryEvent& made = event(kind);
    made.job = "t/0/" + std::to_string(n);
    made.word = word;
    return made;
  }
  HistoryEvent& enqueue(int n) {
    HistoryEvent& made = event(EventKind::enqueue);
    made.tag = std::to_string(n);
    made.by = "p";
    made.topic = "t";
    return made;
  }
  HistoryEvent& enqueued(int n) { return tagged(EventKind::enqueued, n); }
  void taken(int n) {
    enqueue(n);
    enqueued(n);
  }
  HistoryEvent& given(EventKind kind, int n, Token token, const std::string& by,
                      std::uint32_t attempt = 1) {
    HistoryEvent& made = tagged(kind, n);
    made.token = token;
    made.by = by;
    made.attempt = attempt;
    return made;
  }
  HistoryEvent& deliver(int n, Token token, const std::string& by, std::uint32_t attempt = 1) {
    return given(EventKind::deliver, n, token, by, attempt);
  }
  void issue(int n, Token token, const std::string& by, std::uint32_t attempt = 1) {
    given(EventKind::issued, n, token, by, attempt);
    given(EventKind::deliver, n, token, by, attempt);
  }
  HistoryEvent& settle(int n, Token token, const std::string& by,
                       const std::string& outcome = "done") {
    HistoryEvent& made = of(EventKind::settle, n, outcome);
    made.token = token;
    made.by = by;
    return made;
  }
  HistoryEvent& settled(int n, Token token, const std::string& outcome = "done") {
    HistoryEvent& made = of(EventKind::settled, n, outcome);
    made.token = token;
    return made;
  }
  // A client queries a job and gets the answer.
  void answered(int n, const std::string& state) {
    of(EventKind::asked, n).by = "a";
    of(EventKind::told, n, state).by = "a";
  }
  void done(int n, Token token, const std::string& by) {
    settle(n, token, by);
    settled(n, token);
  }
  void crash(const std::string& of = "broker") { event(EventKind::crash).word = of; }
  HistoryEvent& row(int n, const std::string& state, std::uint32_t attempts = 1,
                    const std::string& reason = {}) {
    HistoryEvent& made = tagged(EventKind::final, n);
    made.word = state;
    made.attempt = attempts;
    made.reason = reason;
    return made;
  }
  // The rules that the history breaks, each once, in order.
  std::string broken() {
    end();
    return names(testing::check_history(history_));
  }
  std::string broken_as_restored() {
    end();
    return names(testing::check_restored(history_));
  }
  [[nodiscard]] const History& history() const { return history_; }

 private:
  HistoryEvent& tagged(EventKind kind, int n) {
    HistoryEvent& made = of(kind, n);
    made.tag = std::to_string(n);
    return made;
  }
  void end() {
    if (history_.back().kind != EventKind::end) event(EventKind::end).word = "ok";
  }
  static std::string names(const std::vector<HistoryViolation>& violations) {
    std::vector<std::string> rules;
    for (const auto& violation : violations) rules.push_back(violation.rule);
    std::sort(rules.begin(), rules.end());
    rules.erase(std::unique(rules.begin(), rules.end()), rules.end());
    std::string all;
    for (const auto& rule : rules) all += (all.empty() ? "" : " ") + rule;
    return all;
  }

  History history_;
};

// A job that is taken in, given, and done.
inline HistoryBuilder one_job() {
  HistoryBuilder history;
  history.taken(1);
  history.deliver(1, token_of(1, 1), "w");
  history.done(1, token_of(1, 1), "w");
  return history;
}

}  // namespace millrace::testing
