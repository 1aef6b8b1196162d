// The rules for the sums of a topic (counts), and for the rows of a restored backup (prefix).
#include "index.h"

#include <array>

namespace millrace::testing {
namespace {

constexpr std::array live_states{"scheduled", "available", "running", "retryable"};

using Numbers = std::map<std::string, std::uint64_t>;

std::uint64_t number(const Numbers& numbers, const std::string& name) {
  const auto found = numbers.find(name);
  return found == numbers.end() ? 0 : found->second;
}

std::uint64_t live(const Numbers& numbers) {
  std::uint64_t sum = 0;
  for (const char* state : live_states) sum += number(numbers, state);
  return sum;
}

Numbers rows_of(const HistoryIndex& index, const std::string& topic) {
  Numbers rows;
  for (const auto& [tag, story] : index.stories) {
    for (const Seen& row : story.rows) {
      if (row.event->job.starts_with(topic + "/")) ++rows[row.event->word];
    }
  }
  return rows;
}

void check_topic(const HistoryIndex& index, const HistoryEvent& event, Violations& out) {
  const Numbers& said = event.counts;
  const auto differ = [&](const std::string& what, std::uint64_t a, std::uint64_t b) {
    if (a == b) return;
    out.push_back(
        {"counts", event.topic, what + ": " + std::to_string(a) + " and " + std::to_string(b)});
  };
  const std::uint64_t ended =
      number(said, "completed") + number(said, "cancelled") + number(said, "dead");
  differ("submitted, and the sum over the states", number(said, "enqueued"), live(said) + ended);
  std::uint64_t acknowledged = 0, sent = 0;
  for (const auto& [tag, story] : index.stories) {
    if (story.enqueue.front().event->topic != event.topic) continue;
    if (!story.enqueued.empty()) ++acknowledged;
    if (story.refused.empty()) ++sent;
  }
  const std::uint64_t enqueued = number(said, "enqueued");
  if (enqueued < acknowledged || enqueued > sent) {
    out.push_back({"counts", event.topic,
                   std::to_string(enqueued) + " were submitted, " + std::to_string(acknowledged) +
                       " acknowledged and " + std::to_string(sent) + " sent"});
  }
  const Numbers rows = rows_of(index, event.topic);
  differ("live, and live rows", live(said), live(rows));
  differ("dead, and dead rows", number(said, "dead"), number(rows, "dead"));
  if (!index.history_topics.contains(event.topic)) return;
  differ("completed, and their rows", number(said, "completed"), number(rows, "completed"));
  differ("cancelled, and their rows", number(said, "cancelled"), number(rows, "cancelled"));
}

// The moment of a backup lies between two places of the history; each row narrows it.
struct Moment {
  std::size_t least = 0, most = 0;
  std::string least_why = "the beginning", most_why = "the end";

  void after(std::size_t at, const std::string& why) {
    if (at < least) return;
    least = at + 1;
    least_why = why;
  }
  void before(std::size_t at, const std::string& why) {
    if (at >= most) return;
    most = at;
    most_why = why;
  }
};

void narrow_missing(const HistoryIndex& index, const JobStory& story, Moment& moment) {
  if (index.may_be_gone(story) || story.enqueued.empty()) return;
  moment.before(story.enqueued.front().at, story.job + " is not in it");
}

const Seen* first_of(const std::vector<Seen>& seen, std::string_view word) {
  for (const Seen& one : seen) {
    if (one.event->word == word) return &one;
  }
  return nullptr;
}

void narrow(const JobStory& story, Moment& moment) {
  const HistoryEvent& row = *story.rows.front().event;
  moment.after(story.enqueue.front().at, story.job + " is in it");
  const std::string is = story.job + " is " + row.word;
  if (row.word == "completed" || row.reason == "discarded") {
    const char* word = row.word == "completed" ? "done" : "discard";
    if (const Seen* sent = first_of(story.settle, word)) moment.after(sent->at, is);
  } else if (row.word == "cancelled") {
    if (!story.cancel.empty()) moment.after(story.cancel.front().at, is);
  } else if (row.word != "dead") {
    if (const Seen* end = story.accepted_end()) moment.before(end->at, is);
    if (!story.cancelled.empty()) moment.before(story.cancelled.front().at, is);
  }
  // At least as many outcomes as it counts had not been accepted yet.
  std::uint32_t counted = 0;
  for (const Seen& settled : story.settled) {
    if (settled.event->word == "release" || ++counted <= row.attempt) continue;
    moment.before(settled.at, story.job + " counts " + std::to_string(row.attempt) + " attempts");
    break;
  }
}

void check_rows_twice(const HistoryIndex& index, Violations& out) {
  for (const auto& [tag, story] : index.stories) {
    if (story.rows.size() > 1) out.push_back({"twice", story.job, story.tag + " has two rows"});
  }
}

}  // namespace

void check_counts(const HistoryIndex& index, Violations& out) {
  for (const Seen& counts : index.counts) check_topic(index, *counts.event, out);
}

void check_prefix(const HistoryIndex& index, std::size_t events, Violations& out) {
  check_rows_twice(index, out);
  Moment moment;
  moment.most = events;
  if (index.backup_begins != 0) moment.after(index.backup_begins, "the backup began");
  if (index.backup_ends != 0) moment.before(index.backup_ends, "the backup had ended");
  for (const auto& [tag, story] : index.stories) {
    if (story.rows.empty()) {
      narrow_missing(index, story, moment);
    } else {
      narrow(story, moment);
    }
  }
  if (moment.least <= moment.most) return;
  out.push_back({"prefix", "",
                 "the rows are of no one moment: " + moment.least_why + " (not before event " +
                     std::to_string(moment.least) + "), and " + moment.most_why +
                     " (not after event " + std::to_string(moment.most + 1) + ")"});
}

}  // namespace millrace::testing
