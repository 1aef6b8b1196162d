// Queries: counts, sessions, and the one reason why a job is not running now.
#include "core/engine_impl.h"

namespace millrace::core {
namespace {

std::string in_seconds(std::int64_t ms) {
  return std::to_string(ms / 1'000) + "." + std::to_string(ms % 1'000 / 100) + " s";
}

// Empty for a job without worker deaths.
std::string deaths_words(const Job& job) {
  if (job.deaths == 0) return {};
  return " " + std::to_string(job.deaths) + " of the " + std::to_string(deaths_max) +
         " worker deaths that quarantine the job are counted so far.";
}

}  // namespace

std::optional<std::int64_t> Engine::Impl::next_due_ms() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

TopicStats Engine::Impl::stats(const TopicState& state, Now now) const {
  TopicStats stats;
  stats.topic = state.topic;
  stats.workers = state.subscribers.size();
  std::optional<std::int64_t> oldest;
  for (const auto& partition : state.partitions) {
    if (partition == nullptr) continue;
    stats.scheduled += partition->waiting(State::scheduled);
    stats.retryable += partition->waiting(State::retryable);
    stats.available += partition->available();
    stats.running += partition->running();
    stats.dead += partition->counts.dead;
    stats.enqueued += partition->counts.enqueued;
    stats.completed += partition->counts.completed;
    stats.cancelled += partition->counts.cancelled;
    stats.retried += partition->counts.retried;
    stats.died += partition->counts.died;
    const auto since = partition->oldest_since_ms();
    if (since && (!oldest || *since < *oldest)) oldest = since;
  }
  if (oldest) stats.oldest_available_ms = std::max<std::int64_t>(0, now.mono_ms - *oldest);
  return stats;
}

SessionStats Engine::Impl::stats(const Session& session, Now now) const {
  SessionStats stats;
  stats.id = session.id;
  stats.name = session.name;
  for (const TopicId topic : session.topics) stats.topics.push_back(topic_at(topic).topic.name);
  stats.credit = session.credit;
  stats.running = session.leases.count;
  stats.silent_ms = now.mono_ms - session.heard_mono_ms;
  stats.present = session.present;
  return stats;
}

std::optional<RunningJob> Engine::Impl::running(const JobRef& ref) const {
  const Lease* lease = leases_.find(ref);
  if (lease == nullptr) return std::nullopt;
  return RunningJob{lease->job,        lease->session->id, lease->session->name, lease->token,
                    lease->started_ms, lease->percent,     lease->note};
}

std::int64_t Engine::Impl::grace_ms(Now now) const {
  return holding(now) ? std::max<std::int64_t>(1, grace_until_mono_ms_ - now.mono_ms) : 0;
}

Reason Engine::Impl::explain(const Job& stored, Now now) const {
  if (const auto run = running(stored.ref)) {
    return {State::running, "running",
            "The job has been running on worker " + run->worker + " for " +
                in_seconds(std::max<std::int64_t>(0, now.wall_ms - run->started_ms)) +
                ", attempt " + std::to_string(run->job.attempt + 1) + " of " +
                std::to_string(run->job.attempts_max) + "."};
  }
  const TopicState& state = topic_at(stored.ref.topic);
  const std::string& topic = state.topic.name;
  if (stored.due_ms > now.wall_ms) {
    const std::string wait = in_seconds(stored.due_ms - now.wall_ms);
    if (stored.state == State::retryable) {
      return {State::retryable, "backoff",
              "Attempt " + std::to_string(stored.attempt) + " failed (" + stored.error.str() +
                  "); the next attempt is due in " + wait + "." + deaths_words(stored)};
    }
    return {State::scheduled, "scheduled", "The job is due in " + wait + "."};
  }
  if (state.topic.paused) {
    return {State::available, "paused",
            "Topic " + topic + " is paused: resume the topic to run its jobs."};
  }
  if (holding(now)) {
    return {State::available, "restart_grace",
            "The broker was restarted and waits for its workers to reconnect, for at most " +
                in_seconds(grace_ms(now)) + "."};
  }
  if (state.subscribers.empty()) {
    return {State::available, "no_worker",
            "No worker is subscribed to topic " + topic + ": start a worker."};
  }
  const bool free = std::any_of(state.subscribers.begin(), state.subscribers.end(),
                                [](const Session* session) { return session->credit > 0; });
  if (!free) {
    return {State::available, "workers_busy",
            "All " + std::to_string(state.subscribers.size()) + " workers of topic " + topic +
                " are busy: the job starts when a worker is free; start more workers to run it "
                "sooner."};
  }
  return {State::available, "queued", "The job is next in the queue: a worker is free."};
}

}  // namespace millrace::core
