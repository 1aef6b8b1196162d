// The rule for answers to queries for a job: told. Each query is sent and answered before the same
// client queries that job again.
#include "index.h"

namespace millrace::testing {
namespace {

const Seen* question_of(const JobStory& story, const Seen& answer) {
  const Seen* asked = nullptr;
  for (const Seen& seen : story.asked) {
    if (seen.at < answer.at && seen.event->by == answer.event->by) asked = &seen;
  }
  return asked;
}

// Before it was asked for, its end was known.
bool known_to_have_ended(const JobStory& story, const Seen& asked) {
  const Seen* end = story.accepted_end();
  return (end != nullptr && end->at < asked.at) || any_before(story.cancelled, asked.at);
}

std::string wrong_end(const JobStory& story, const Seen& told) {
  const std::string& state = told.event->word;
  if (state == "completed" && !story.sent("done", told.at)) return "nobody had done it";
  if (state == "cancelled" && !any_before(story.cancel, told.at)) return "nobody had cancelled it";
  if (!story.rows.empty() && story.rows.front().event->word != state) {
    return "its row says " + story.rows.front().event->word;
  }
  for (const Seen& given : story.issued) {
    if (given.at > told.at) return "it was given as " + token_text(given.event->token) + " later";
  }
  return {};
}

std::string wrong_absence(const HistoryIndex& index, const JobStory& story, const Seen& told,
                          const Seen& asked) {
  const bool was_there = any_before(story.enqueued, asked.at);
  return was_there && !index.may_be_gone(story, told.at) ? "it was acknowledged, and is kept" : "";
}

std::string wrong_answer(const HistoryIndex& index, const JobStory& story, const Seen& told) {
  const Seen* asked = question_of(story, told);
  if (asked == nullptr) return "nobody had asked";
  const std::string& state = told.event->word;
  if (state == not_found) return wrong_absence(index, story, told, *asked);
  if (is_final(state)) return wrong_end(story, told);
  return known_to_have_ended(story, *asked) ? "it had ended before it was asked for" : "";
}

}  // namespace

void check_told(const HistoryIndex& index, Violations& out) {
  for (const auto& [tag, story] : index.stories) {
    for (const Seen& told : story.told) {
      const std::string wrong = wrong_answer(index, story, told);
      if (wrong.empty()) continue;
      out.push_back({"told", story.job, told.event->word + ", and " + wrong});
    }
  }
}

}  // namespace millrace::testing
