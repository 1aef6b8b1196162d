// The rules for the fate of each job: lost, twice, nowhere, end, cancel, attempts, dead.
#include "index.h"

#include <algorithm>
#include <array>

namespace millrace::testing {
namespace {

constexpr std::uint32_t deaths_max = 3;

bool ends_it(std::string_view outcome) { return outcome == "done" || outcome == "discard"; }

void check_lost(const HistoryIndex& index, const JobStory& story, Violations& out) {
  const auto lost = [&](const std::string& what) { out.push_back({"lost", story.name(), what}); };
  if (story.rows.empty()) {
    if (!story.enqueued.empty() && !index.may_be_gone(story)) {
      lost("acknowledged as " + story.tag + ", and there is no row of it");
    }
    return;
  }
  const HistoryEvent& row = *story.rows.front().event;
  if (const Seen* end = story.accepted_end()) {
    const std::string_view state = end->event->word == "done" ? "completed" : "dead";
    if (row.word != state) {
      lost(end->event->word + " of " + token_text(end->event->token) +
           " was accepted, and its row says " + row.word);
    } else if (state == "dead" && row.reason != "discarded") {
      lost("a discard was accepted, and its row says dead of " + row.reason);
    }
  }
  if (!story.cancelled.empty() && row.word != "cancelled") {
    lost("its cancel was acknowledged, and its row says " + row.word);
  }
}

void check_twice(const JobStory& story, Violations& out) {
  const auto twice = [&](const std::string& what) { out.push_back({"twice", story.name(), what}); };
  for (const Seen& row : story.rows) {
    if (row.event != story.rows.front().event) {
      twice(story.tag + " has two rows: " + story.rows.front().event->job + " and " +
            row.event->job);
    }
  }
  for (const auto* seen : {&story.enqueued, &story.deliver, &story.issued, &story.rows}) {
    for (const Seen& one : *seen) {
      if (one.event->job == story.job) continue;
      twice(story.tag + " is also " + one.event->job);
      return;
    }
  }
  const Seen* end = story.accepted_end();
  if (end == nullptr) return;
  for (const Seen& other : story.settled) {
    if (other.event->token != end->event->token && ends_it(other.event->word)) {
      twice("an end was accepted from " + token_text(end->event->token) + " and from " +
            token_text(other.event->token));
    }
  }
  for (const auto* given : {&story.deliver, &story.issued}) {
    for (const Seen& later : *given) {
      if (later.event->token <= end->event->token) continue;
      twice("given again as " + token_text(later.event->token) + " after " + end->event->word +
            " of " + token_text(end->event->token) + " was accepted");
      return;
    }
  }
}

void check_refused(const JobStory& story, Violations& out) {
  if (story.refused.empty() || (story.rows.empty() && story.deliver.empty())) return;
  out.push_back({"nowhere", story.name(), story.tag + " was refused, and is there"});
}

// The end of a row was requested by a client.
void check_asked(const JobStory& story, Violations& out) {
  if (story.rows.empty()) return;
  const std::string& state = story.rows.front().event->word;
  const std::string& reason = story.rows.front().event->reason;
  const bool asked = state == "completed"    ? story.sent("done")
                     : state == "cancelled"  ? !story.cancel.empty()
                     : reason == "discarded" ? story.sent("discard")
                     : reason == "exhausted" ? !story.deliver.empty() || !story.issued.empty()
                                             : true;
  if (!asked) {
    out.push_back({"nowhere", story.name(), "nobody asked for its end: " + state + " " + reason});
  }
}

void check_end(const HistoryIndex& index, const JobStory& story, Violations& out) {
  if (!index.faults_over || story.rows.empty()) return;
  const std::string& state = story.rows.front().event->word;
  if (!is_final(state)) out.push_back({"end", story.name(), "faults are over, and it is " + state});
}

void check_cancel(const HistoryIndex& index, const JobStory& story, Violations& out) {
  if (story.cancelled.empty()) return;
  const std::size_t at = story.cancelled.front().at;
  const auto cancel = [&](const std::string& what) {
    out.push_back({"cancel", story.name(), what});
  };
  for (const Seen& given : story.issued) {
    if (given.at > at) cancel("given as " + token_text(given.event->token) + " after its cancel");
  }
  for (const Seen& settled : story.settled) {
    const auto sent = std::find_if(story.settle.begin(), story.settle.end(), [&](const Seen& s) {
      return s.event->token == settled.event->token;
    });
    const bool sent_after = sent != story.settle.end() && sent->at > at;
    if (sent_after) cancel("settled after its cancel by " + token_text(settled.event->token));
  }
  if (index.sees_issues) return;
  // A worker may read late what left before the cancel, but not what a later broker gave.
  const auto crash = std::upper_bound(index.broker_crashes.begin(), index.broker_crashes.end(), at);
  for (const Seen& given : story.deliver) {
    if (crash != index.broker_crashes.end() && given.at > *crash) {
      cancel("given as " + token_text(given.event->token) + " after its cancel and a restart");
    }
  }
}

// Attempts that were certainly counted: outcomes that were accepted.
std::uint32_t counted(const JobStory& story, Token below) {
  std::uint32_t count = 0;
  for (const Seen& settled : story.settled) {
    if (settled.event->token < below && settled.event->word != "release") ++count;
  }
  return count;
}

void check_one_count(const HistoryIndex& index, const JobStory& story, Violations& out) {
  const auto wrong = [&](const std::string& what) {
    out.push_back({"attempts", story.name(), what});
  };
  const auto limit = story.enqueue.front().event->attempts_max;
  std::set<Token> tokens;
  for (const Seen& given : index.sees_issues ? story.issued : story.deliver) {
    const std::uint32_t attempt = given.event->attempt;
    const std::string as =
        "attempt " + std::to_string(attempt) + " as " + token_text(given.event->token);
    if (limit && attempt > *limit) wrong(as + ", and its limit is " + std::to_string(*limit));
    if (attempt <= counted(story, given.event->token)) {
      wrong(as + ", and " + std::to_string(counted(story, given.event->token)) +
            " were counted before");
    }
    tokens.insert(given.event->token);
    if (index.sees_issues && attempt > tokens.size()) {
      wrong(as + ", and it was given only " + std::to_string(tokens.size()) + " times");
    }
  }
  if (story.rows.empty()) return;
  const HistoryEvent& row = *story.rows.front().event;
  if (limit && row.attempt > *limit) {
    wrong(std::to_string(row.attempt) + " attempts of at most " + std::to_string(*limit));
  }
  const std::uint32_t least = counted(story, UINT64_MAX);
  if (row.attempt < least) {
    wrong(std::to_string(row.attempt) + " attempts in its row, and " + std::to_string(least) +
          " outcomes were accepted");
  }
  if (index.sees_issues && row.attempt > tokens.size()) {
    wrong(std::to_string(row.attempt) + " attempts in its row, and it was given " +
          std::to_string(tokens.size()) + " times");
  }
  if (row.deaths > row.attempt) wrong("more deaths than attempts");
}

void check_dead(const JobStory& story, Violations& out) {
  if (story.rows.empty()) return;
  const HistoryEvent& row = *story.rows.front().event;
  const auto limit = story.enqueue.front().event->attempts_max;
  const auto dead = [&](const std::string& what) { out.push_back({"dead", story.name(), what}); };
  if (row.word != "dead") {
    if (!is_final(row.word) && limit && row.attempt >= *limit) {
      dead("no attempts are left, and it is " + row.word);
    }
    if (!is_final(row.word) && row.deaths >= deaths_max) {
      dead(std::to_string(row.deaths) + " workers died of it, and it is " + row.word);
    }
    return;
  }
  if (row.reason == "exhausted") {
    if (limit && row.attempt != *limit) {
      dead("exhausted after " + std::to_string(row.attempt) + " attempts of " +
           std::to_string(*limit));
    }
  } else if (row.reason == "quarantined") {
    if (row.deaths != deaths_max) {
      dead("quarantined after " + std::to_string(row.deaths) + " deaths");
    }
  } else if (row.reason != "discarded") {
    dead("dead for no known reason: \"" + row.reason + "\"");
  }
}

}  // namespace

void check_jobs(const HistoryIndex& index, Violations& out) {
  for (const auto& [tag, story] : index.stories) {
    check_lost(index, story, out);
    check_twice(story, out);
    check_end(index, story, out);
    check_cancel(index, story, out);
    check_dead(story, out);
  }
}

void check_attempts(const HistoryIndex& index, Violations& out) {
  for (const auto& [tag, story] : index.stories) check_one_count(index, story, out);
}

void check_origin(const HistoryIndex& index, Violations& out) {
  for (const Seen& orphan : index.orphans) {
    const HistoryEvent& event = *orphan.event;
    constexpr std::array known{EventKind::enqueued, EventKind::deliver,   EventKind::issued,
                               EventKind::settled,  EventKind::cancelled, EventKind::final};
    if (std::find(known.begin(), known.end(), event.kind) == known.end()) continue;
    out.push_back({"nowhere", event.job.empty() ? event.tag : event.job,
                   std::string(to_string(event.kind)) + " of a job that nobody sent"});
  }
  for (const auto& [tag, story] : index.stories) {
    check_refused(story, out);
    check_asked(story, out);
  }
  if (index.ends.empty()) out.push_back({"integrity", "", "the history has no end"});
  for (const Seen& end : index.ends) {
    if (end.event->word != "ok") out.push_back({"integrity", "", end.event->word});
  }
}

}  // namespace millrace::testing
