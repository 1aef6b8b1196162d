#include "index.h"

#include <algorithm>

namespace millrace::testing {
namespace {

std::vector<Seen>* place_of(JobStory& story, EventKind kind) {
  switch (kind) {
    case EventKind::enqueue: return &story.enqueue;
    case EventKind::enqueued: return &story.enqueued;
    case EventKind::refused: return &story.refused;
    case EventKind::deliver: return &story.deliver;
    case EventKind::issued: return &story.issued;
    case EventKind::bounced: return &story.bounced;
    case EventKind::settle: return &story.settle;
    case EventKind::settled: return &story.settled;
    case EventKind::cancel: return &story.cancel;
    case EventKind::cancelled: return &story.cancelled;
    case EventKind::asked: return &story.asked;
    case EventKind::told: return &story.told;
    case EventKind::final: return &story.rows;
    default: return nullptr;
  }
}

bool of_a_job(EventKind kind) {
  JobStory none;
  return kind == EventKind::unknown || kind == EventKind::stale || place_of(none, kind) != nullptr;
}

}  // namespace

const Seen* JobStory::accepted_end() const {
  for (const Seen& seen : settled) {
    if (seen.event->word == "done" || seen.event->word == "discard") return &seen;
  }
  return nullptr;
}

bool JobStory::sent(std::string_view outcome, std::size_t before) const {
  return std::any_of(settle.begin(), settle.end(), [&](const Seen& seen) {
    return seen.at < before && seen.event->word == outcome;
  });
}

std::string_view JobStory::topic() const { return std::string_view(job).substr(0, job.find('/')); }

const Seen* JobStory::delivery_of(Token token) const {
  for (const Seen& seen : deliver) {
    if (seen.event->token == token) return &seen;
  }
  return nullptr;
}

HistoryIndex::HistoryIndex(const History& history) {
  std::map<std::string, std::string> tags;  // by job
  for (const HistoryEvent& event : history) {
    if (event.kind == EventKind::enqueue) stories[event.tag].tag = event.tag;
    if (!event.job.empty() && !event.tag.empty()) tags.emplace(event.job, event.tag);
  }
  for (std::size_t at = 0; at < history.size(); ++at) {
    const HistoryEvent& event = history[at];
    const Seen seen{at, &event};
    switch (event.kind) {
      case EventKind::crash:
        if (event.word == "broker") broker_crashes.push_back(at);
        continue;
      case EventKind::clock: clocks.push_back(seen); continue;
      case EventKind::counts: counts.push_back(seen); continue;
      case EventKind::end: ends.push_back(seen); continue;
      case EventKind::faults_over: faults_over = true; continue;
      case EventKind::backup: backup_begins = at; continue;
      case EventKind::backed_up: backup_ends = at; continue;
      default: break;
    }
    if (!of_a_job(event.kind)) continue;
    sees_issues |= event.kind == EventKind::issued;
    const auto tag = event.tag.empty() ? tags.find(event.job) : tags.end();
    const auto found = stories.find(tag == tags.end() ? event.tag : tag->second);
    if (found == stories.end()) {
      orphans.push_back(seen);
      continue;
    }
    JobStory& story = found->second;
    if (story.job.empty()) story.job = event.job;
    if (auto* place = place_of(story, event.kind)) place->push_back(seen);
    if (event.kind == EventKind::final &&
        (event.word == "completed" || event.word == "cancelled")) {
      history_topics.emplace(story.topic());
    }
  }
}

bool HistoryIndex::may_be_gone(const JobStory& story, std::size_t at) const {
  if (history_topics.contains(story.topic())) return false;
  return story.sent("done", at) || any_before(story.cancel, at);
}

Violations check_history(const History& history) {
  const HistoryIndex index(history);
  Violations out;
  check_origin(index, out);
  check_jobs(index, out);
  check_attempts(index, out);
  check_tokens(index, out);
  check_order(index, out);
  check_told(index, out);
  check_counts(index, out);
  return out;
}

Violations check_restored(const History& history) {
  const HistoryIndex index(history);
  Violations out;
  check_origin(index, out);
  check_prefix(index, history.size(), out);
  return out;
}

}  // namespace millrace::testing
