// The invariants of every state of a world, and the check that all jobs end from every state.
#include "world.h"

namespace millrace::explore {

using namespace core;

void World::judge() const {
  std::uint64_t live = 0, dead = 0;
  for (const auto& [where, counts] : store_.partitions) {
    live += counts.live;
    dead += counts.dead;
    demand(counts.enqueued == counts.live + counts.died + counts.completed + counts.cancelled,
           "submitted is the sum over the states", counts.enqueued);
  }
  demand(live == store_.jobs.size(), "counts are those of the rows", live);
  std::uint64_t dead_rows = 0;
  for (const auto& [ref, row] : store_.finished) dead_rows += row.finish.state == State::dead;
  demand(dead == dead_rows, "dead jobs are those of the rows", dead);
  demand(store_.jobs.size() + store_.finished.size() <= jobs_.size(), "no job from nowhere");
  for (const auto& [ref, count] : store_.completions) {
    demand(count == 1, "a completion is recorded once", ref.seq);
  }
  for (const auto& [ref, lease] : store_.leases) {
    demand(store_.jobs.contains(ref), "a stored lease is of a live job", ref.seq);
    demand(store_.sessions.contains(lease.session), "a stored lease is of a stored session",
           ref.seq);
  }
  for (const auto& [ref, job] : store_.jobs) {
    demand(job.attempt < job.attempts_max, "a live job has attempts left", ref.seq);
    demand(job.deaths < deaths_max, "a live job is not quarantined", ref.seq);
  }
  for (const auto& [ref, row] : store_.finished) {
    demand(row.finish.attempt <= row.job.attempts_max, "attempts are within their maximum",
           ref.seq);
    const bool exhausted = row.finish.attempt == row.job.attempts_max;
    demand(row.finish.state != State::dead || exhausted || row.finish.deaths == deaths_max,
           "what is dead has used its attempts", ref.seq);
    demand(!engine_->running(ref), "an ended job does not run", ref.seq);
  }
  std::uint64_t credit = 0;
  for (const SessionStats& s : engine_->sessions(now_)) credit += s.credit;
  demand(engine_->credit_free() == credit, "free credit is that of the sessions", credit);
  for (const Job& job : jobs_) judge_job(job);
}

// Of what the next commit writes, against the rows that it finds.
void World::judge_deaths(const ChangeSet& changes) const {
  const auto judge_one = [this](JobRef ref, std::uint32_t attempt, std::uint32_t deaths) {
    const auto at = store_.jobs.find(ref);
    if (at == store_.jobs.end() || at->second.deaths == deaths) return;
    const core::Job& row = at->second;
    demand(deaths == row.deaths + 1 && attempt == row.attempt + 1, "a death counts once", ref.seq);
    demand(row.deaths == 0 || now_.wall_ms - row.died_ms >= options_.deaths_apart_ms,
           "deaths that count are apart", ref.seq);
  };
  for (const JobUpdate& update : changes.updates) {
    judge_one(update.row.ref, update.status.attempt, update.status.deaths);
    demand(update.status.attempt == 0 || update.status.due_ms >= now_.wall_ms, "what failed waits",
           update.row.ref.seq);
  }
  for (const JobFinish& finish : changes.finishes) {
    judge_one(finish.row.ref, finish.attempt, finish.deaths);
  }
}

void World::judge_job(const Job& job) const {
  if (!job.stored) return;
  const JobRef ref{1, 0, job.seq};
  const auto ended = store_.finished.find(ref);
  const bool over = ended != store_.finished.end();
  demand(over != store_.jobs.contains(ref), "an acknowledged job is there once", job.seq);
  const State state = over ? ended->second.finish.state : State::available;
  const std::uint32_t attempt = over ? ended->second.finish.attempt : store_.jobs.at(ref).attempt;
  const auto given = given_.find(job.seq);
  demand(attempt <= (given == given_.end() ? 0 : given->second),
         "an attempt is a delivery that left", job.seq);
  demand(!job.completion_answered || state == State::completed, "an acknowledged completion stays",
         job.seq);
  demand(!job.cancel_recorded || state == State::cancelled, "an acknowledged cancel stays",
         job.seq);
}

void World::demand_way_out() {
  constexpr int rounds_max = 60;
  for (int round = 0; round < rounds_max; ++round) {
    storage_catches_up();
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (!jobs_[i].stored) enqueue(static_cast<int>(i), false);
      storage_catches_up();
    }
    if (!workers_[0].alive) apply({.kind = Kind::worker_starts});
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      Worker& worker = workers_[i];
      const auto number = static_cast<std::uint8_t>(i);
      if (worker.alive && !worker.connected) hello(number, false);
      storage_catches_up();
      while (!worker.inbox.empty()) {
        receive(number);
        storage_catches_up();
      }
      while (worker.subscribed && !worker.holds.empty()) {
        const auto [token, seq] = *worker.holds.begin();
        apply({.kind = Kind::settle,
               .worker = number,
               .job = static_cast<std::uint8_t>(seq - 1),
               .token = token});
        storage_catches_up();
      }
    }
    apply({.kind = Kind::tick});
    storage_catches_up();
    if (store_.jobs.empty()) return;
  }
  demand(false, "when the faults stop every job ends", store_.jobs.begin()->first.seq);
}

}  // namespace millrace::explore
