// The rules for deliveries, by token and by time: token, fence, early, order.
#include "index.h"

#include <algorithm>
#include <unordered_map>

namespace millrace::testing {
namespace {

void check_given_once(const HistoryIndex& index, Violations& out) {
  std::unordered_map<std::string, const HistoryEvent*> holders;  // shard is unknown: by job, token
  for (const auto& [tag, story] : index.stories) {
    for (const auto* given : {&story.deliver, &story.issued}) {
      for (const Seen& seen : *given) {
        const std::string name = story.name() + token_text(seen.event->token);
        const auto [known, fresh] = holders.emplace(name, seen.event);
        const HistoryEvent& first = *known->second;
        // What left is known by its job alone.
        const bool same = first.by == seen.event->by || first.by.empty() || seen.event->by.empty();
        if (fresh || (same && first.attempt == seen.event->attempt)) continue;
        out.push_back({"token", story.name(),
                       token_text(seen.event->token) + " was given to " + first.by +
                           " as attempt " + std::to_string(first.attempt) + " and to " +
                           seen.event->by + " as attempt " + std::to_string(seen.event->attempt)});
      }
    }
  }
}

// What was read late may stand behind a newer one, but not what was given by a later broker.
void check_rising(const HistoryIndex& index, const JobStory& story, Violations& out) {
  const auto fell = [&](const HistoryEvent& event, Token after) {
    out.push_back({"token", story.name(),
                   "given as " + token_text(event.token) + " after " + token_text(after)});
  };
  Token issued = 0;
  for (const Seen& seen : story.issued) {
    if (seen.event->token <= issued) fell(*seen.event, issued);
    issued = std::max(issued, seen.event->token);
  }
  Token highest = 0, before_crash = 0;
  auto crash = index.broker_crashes.begin();
  std::set<Token> known;
  for (const Seen& seen : story.deliver) {
    while (crash != index.broker_crashes.end() && *crash < seen.at) {
      before_crash = highest;
      ++crash;
    }
    if (known.insert(seen.event->token).second && seen.event->token < before_crash) {
      fell(*seen.event, before_crash);
    }
    highest = std::max(highest, seen.event->token);
  }
}

void check_fence(const JobStory& story, Violations& out) {
  for (const Seen& settled : story.settled) {
    const Token token = settled.event->token;
    const auto fence = [&](const std::string& what) {
      out.push_back({"fence", story.name(),
                     settled.event->word + " of " + token_text(token) + " was accepted, " + what});
    };
    const Seen* given = story.delivery_of(token);
    if (given == nullptr) {
      fence("which nobody was given");
      continue;
    }
    if (!settled.event->by.empty() && settled.event->by != given->event->by) {
      fence("from " + settled.event->by + ", and it was given to " + given->event->by);
    }
    // The first time that it was sent; a newer one was held by then.
    const auto sent = std::find_if(story.settle.begin(), story.settle.end(),
                                   [token](const Seen& s) { return s.event->token == token; });
    if (sent == story.settle.end()) {
      fence("which nobody sent");
      continue;
    }
    for (const auto* newer_given : {&story.deliver, &story.issued}) {
      const auto newer = std::find_if(newer_given->begin(), newer_given->end(), [&](const Seen& s) {
        return s.at < sent->at && s.event->token > token;
      });
      if (newer == newer_given->end()) continue;
      fence("and " + token_text(newer->event->token) + " had been given before it was sent");
      break;
    }
  }
}

// A wall clock that was once seen at its time has made it due, wherever it jumps later.
void check_early(const HistoryIndex& index, const JobStory& story, Violations& out) {
  const auto run_at = story.enqueue.front().event->run_at_ms;
  if (!run_at) return;
  for (const auto* given : {&story.deliver, &story.issued}) {
    for (const Seen& seen : *given) {
      const auto& wall = seen.event->wall_ms;
      if (!wall || *wall >= *run_at) continue;
      const bool was_due =
          std::any_of(index.clocks.begin(), index.clocks.end(), [&](const Seen& c) {
            return c.at > story.enqueue.front().at && c.at < seen.at &&
                   *c.event->wall_ms >= *run_at;
          });
      if (was_due) continue;
      out.push_back({"early", story.name(),
                     "given " + std::to_string(*run_at - *wall) + " ms before its time"});
      return;
    }
  }
}

std::uint64_t number_of(const std::string& job) {
  return std::stoull(job.substr(job.rfind('/') + 1));
}

// The first time that it left the broker; null if it never did.
const Seen* first_issue(const JobStory& story) {
  return story.issued.empty() ? nullptr : &story.issued.front();
}

// a stands before b in their partition, and both are ready at once.
bool given_out_of_order(const JobStory& a, const JobStory& b) {
  const HistoryEvent& first = *a.enqueue.front().event;
  const HistoryEvent& second = *b.enqueue.front().event;
  if (!first.priority || !second.priority || *first.priority != *second.priority) return false;
  if (first.run_at_ms || second.run_at_ms || a.enqueued.empty()) return false;
  // A delivery that could not leave lost its place through no fault of the broker.
  if (!a.bounced.empty() || !a.cancel.empty()) return false;
  const Seen* later = first_issue(b);
  if (later == nullptr || a.enqueued.front().at > later->at) return false;
  const Seen* earlier = first_issue(a);
  return earlier == nullptr || earlier->event->token > later->event->token;
}

// Stories in the order in which they were first sent.
void check_one_key(std::vector<const JobStory*>& jobs, bool sees_issues, Violations& out) {
  std::sort(jobs.begin(), jobs.end(), [](const JobStory* a, const JobStory* b) {
    return number_of(a->job) < number_of(b->job);
  });
  std::size_t newest_sent = 0;
  const JobStory* newest = nullptr;
  for (const JobStory* job : jobs) {
    // Acknowledged before a job of a lower number was first sent.
    if (newest != nullptr && !job->enqueued.empty() && job->enqueued.front().at < newest_sent) {
      out.push_back(
          {"order", job->job, "taken in before " + newest->job + " of the same key was sent"});
    }
    if (job->enqueue.front().at >= newest_sent) {
      newest_sent = job->enqueue.front().at;
      newest = job;
    }
  }
  if (!sees_issues) return;
  for (std::size_t i = 1; i < jobs.size(); ++i) {
    if (!given_out_of_order(*jobs[i - 1], *jobs[i])) continue;
    out.push_back({"order", jobs[i]->job,
                   "given before " + jobs[i - 1]->job + ", which is of the same key and older"});
  }
}

}  // namespace

void check_tokens(const HistoryIndex& index, Violations& out) {
  check_given_once(index, out);
  for (const auto& [tag, story] : index.stories) {
    check_rising(index, story, out);
    check_fence(story, out);
    check_early(index, story, out);
  }
}

void check_order(const HistoryIndex& index, Violations& out) {
  std::map<std::string, std::vector<const JobStory*>> keys;  // by topic and key
  for (const auto& [tag, story] : index.stories) {
    const HistoryEvent& sent = *story.enqueue.front().event;
    if (sent.key.empty() || story.job.empty()) continue;
    keys[sent.topic + " " + sent.key].push_back(&story);
  }
  for (auto& [name, jobs] : keys) check_one_key(jobs, index.sees_issues, out);
}

}  // namespace millrace::testing
