// Settling a job: the end of a run. Only the current token settles a job; every other token is
// stale and changes nothing.
#include "core/check.h"
#include "core/engine_impl.h"
#include "core/transitions.h"

#include <algorithm>

namespace millrace::core {
namespace {

// The end of an error text is its most informative part.
std::string_view tail(std::string_view text, std::size_t bytes_max = error_bytes_max) {
  return text.size() <= bytes_max ? text : text.substr(text.size() - bytes_max);
}

std::string quarantined(const std::string& how, std::int64_t apart_ms) {
  const std::string words = "quarantined: its workers died " + std::to_string(deaths_max) +
                            " times, each at least " + std::to_string(apart_ms / 1'000) +
                            " s after the one before; the last time: ";
  return words + std::string(tail(how, error_bytes_max - words.size()));
}

void update_row(const Job& job, Effects& out) {
  out.changes.updates.push_back({job.row(), job.status()});
}

Event end_event(EventKind kind, const Lease& lease, Now now) {
  Event event{.kind = kind};
  event.ref = lease.job.ref;
  event.attempt = lease.job.attempt;
  event.run_ms = now.mono_ms - lease.started_mono_ms;
  event.session = lease.session->id;
  return event;
}

}  // namespace

void Engine::Impl::on(Settle&& c, Now now, Effects& out) {
  Session* session = find_session(c.session);
  if (session == nullptr || !session->present) {
    return reply(out, c.request, refuse(Refusal::no_session, "unknown session: send HELLO again"));
  }
  Settled settled;
  for (JobOutcome& outcome : c.outcomes) {
    Lease* held = leases_.find(outcome.token);
    if (held == nullptr || held->session != session) {
      settled.stale.push_back(outcome.token);
      continue;
    }
    settle_one(std::move(outcome), *held, now, out);
  }
  on(Grant{c.session, c.credit}, now, out);
  reply(out, c.request, std::move(settled));
}

void Engine::Impl::settle_one(JobOutcome&& outcome, Lease& held, Now now, Effects& out) {
  Lease lease = end_run(held, out);
  switch (outcome.kind) {
    case OutcomeKind::completed:
      transit(State::running, Trigger::complete);
      ++lease.job.attempt;
      out.events.push_back(end_event(EventKind::completed, lease, now));
      return finish(lease.job, State::completed, DeadReason::none, &lease, {},
                    std::move(outcome.result), now, out);
    case OutcomeKind::retry: return retry_later(std::move(lease), std::move(outcome), now, out);
    case OutcomeKind::discard:
      transit(State::running, Trigger::give_up);
      ++lease.job.attempt;
      return finish(lease.job, State::dead, DeadReason::discarded, &lease, tail(outcome.error), {},
                    now, out);
    case OutcomeKind::release:
      transit(State::running, Trigger::put_back);
      out.events.push_back(end_event(EventKind::released, lease, now));
      return put_back(std::move(lease), now, out);
    case OutcomeKind::crashed: return crash(std::move(lease), outcome.error.str(), now, out);
  }
}

// Takes a lease out of the table; the caller then changes the state of its job.
Lease Engine::Impl::end_run(Lease& held, Effects& out) {
  Lease lease = leases_.take(held, held.session->leases);
  lease.job.ended_token = lease.token;
  if (lease.written) out.changes.leases_dropped.push_back(lease.job.row());
  if (lease.payload_kept) held_bytes_ -= lease.job.payload.size();
  partition_at(lease.job.ref.where()).leave_running(lease.job);
  return lease;
}

void Engine::Impl::finish(Job& job, State state, DeadReason reason, const Lease* lease, Bytes error,
                          Bytes result, Now now, Effects& out) {
  Partition& partition = partition_at(job.ref.where());
  partition.row_state_changed(job.state, state);
  --partition.counts.live;
  if (state == State::completed) ++partition.counts.completed;
  if (state == State::cancelled) ++partition.counts.cancelled;
  if (state == State::dead) {
    ++partition.counts.dead;
    ++partition.counts.died;
  }
  partition.note_changed(job.ref.seq);
  touch(partition);

  JobFinish row;
  row.row = job.row();
  row.state = state;
  row.reason = reason;
  row.keep = state == State::dead || topic_at(job.ref.topic).topic.settings.history;
  row.attempt = job.attempt;
  row.deaths = job.deaths;
  row.finished_ms = now.wall_ms;
  if (lease != nullptr) row.started_ms = lease->started_ms;
  if (row.keep) {
    row.error = error.empty() ? job.error : std::move(error);
    row.result = std::move(result);
    if (lease != nullptr) row.worker = lease->session->name;
  }
  out.changes.finishes.push_back(std::move(row));

  if (state == State::completed) return;
  Event event{.kind = state == State::dead ? EventKind::died : EventKind::cancelled};
  if (lease != nullptr) event = end_event(event.kind, *lease, now);
  event.ref = job.ref;
  event.attempt = job.attempt;
  event.reason = reason;
  out.events.push_back(event);
}

void Engine::Impl::retry_later(Lease&& lease, JobOutcome&& outcome, Now now, Effects& out) {
  Job& job = lease.job;
  ++job.attempt;
  Bytes error = tail(outcome.error);
  if (job.attempt >= job.attempts_max) {
    transit(State::running, Trigger::give_up);
    return finish(job, State::dead, DeadReason::exhausted, &lease, std::move(error), {}, now, out);
  }
  job.error = std::move(error);
  const TopicSettings& settings = topic_at(job.ref.topic).topic.settings;
  const std::int64_t wait_ms =
      outcome.retry_after_ms ? std::clamp<std::int64_t>(*outcome.retry_after_ms, 0, delay_ms_max)
                             : backoff_ms(settings, job.attempt, random_);
  out.events.push_back(end_event(EventKind::retried, lease, now));
  wait_again(std::move(lease), wait_ms, now, out);
}

// Retryable, until the wait has passed.
void Engine::Impl::wait_again(Lease&& lease, std::int64_t wait_ms, Now now, Effects& out) {
  Job& job = lease.job;
  const State next = transit(State::running, Trigger::retry);
  Partition& partition = partition_at(job.ref.where());
  partition.row_state_changed(job.state, next);
  ++partition.counts.retried;
  job.state = next;
  job.due_ms = now.wall_ms + wait_ms;
  partition.note_changed(job.ref.seq);
  partition.note_due_row(job);
  due_changed(partition);
  touch(partition);
  update_row(job, out);
}

// Of deaths within a short time only the first counts: the machine may have caused the others.
// After the wall clock was set back, the time between two deaths is unknown.
void Engine::Impl::count_death(Job& job, Now now) const {
  const bool apart = now.wall_ms - job.died_ms >= options_.deaths_apart_ms;
  if (job.deaths > 0 && !apart) {
    job.died_ms = std::min(job.died_ms, now.wall_ms);
    return;
  }
  ++job.deaths;
  job.died_ms = now.wall_ms;
}

// After a death the job waits as after a failure, and always at least a second: if the machine is
// the cause, a pause helps.
void Engine::Impl::crash(Lease&& lease, const std::string& how, Now now, Effects& out) {
  Job& job = lease.job;
  ++job.attempt;
  count_death(job, now);
  job.error = tail(how);
  if (job.deaths >= deaths_max) {
    job.error = quarantined(how, options_.deaths_apart_ms);
    transit(State::running, Trigger::give_up);
    return finish(job, State::dead, DeadReason::quarantined, &lease, {}, {}, now, out);
  }
  if (job.attempt >= job.attempts_max) {
    transit(State::running, Trigger::give_up);
    return finish(job, State::dead, DeadReason::exhausted, &lease, {}, {}, now, out);
  }
  const TopicSettings& settings = topic_at(job.ref.topic).topic.settings;
  out.events.push_back(end_event(EventKind::crashed, lease, now));
  const std::int64_t wait_ms = backoff_ms(settings, job.attempt, random_);
  wait_again(std::move(lease), std::max(wait_ms, options_.death_wait_ms_min), now, out);
}

// Available again with its row as it is.
void Engine::Impl::put_back(Lease&& lease, Now now, Effects& out) {
  Job& job = lease.job;
  Partition& partition = partition_at(job.ref.where());
  want_loads(partition);
  if (partition.beyond_cursor(job)) {
    if (Partition::has_due(job)) {
      partition.note_due_row(job);
      due_changed(partition);
    } else {
      partition.lanes[job.priority].backlog = true;
    }
    return;
  }
  if (lease.payload_kept) {
    const std::int64_t since_mono_ms = lease.since_mono_ms;
    return ready_front(topic_at(job.ref.topic), partition, std::move(job), since_mono_ms);
  }
  if (Partition::has_due(job)) {
    partition.note_due_row(job);
    due_changed(partition);
    return;
  }
  spill(partition, job, now, out);
}

// To disk only, with a due time of now, so that the next load of due rows brings it back.
void Engine::Impl::spill(Partition& partition, Job& job, Now now, Effects& out) {
  partition.row_state_changed(job.state, State::available);
  job.state = State::available;
  job.due_ms = now.wall_ms;
  partition.note_changed(job.ref.seq);
  partition.note_due_row(job);
  due_changed(partition);
  touch(partition);
  update_row(job, out);
}

void Engine::Impl::on(Progress&& c, Now now, Effects& out) {
  Lease* lease = leases_.find(c.token);
  if (lease == nullptr || lease->session->id != c.session) {
    if (Session* session = find_session(c.session)) {
      out.revokes.push_back({session->id, {c.token}, RevokeReason::lease_lost});
    }
    return;
  }
  (void)now;
  if (c.percent) lease->percent = std::min<std::uint32_t>(*c.percent, 100);
  if (!c.note.empty()) lease->note = c.note.substr(0, note_bytes_max);
}

}  // namespace millrace::core
