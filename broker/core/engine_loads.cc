// Rows that storage has loaded, and the window of ready jobs that they fill.
#include "core/check.h"
#include "core/engine_impl.h"
#include "core/transitions.h"

namespace millrace::core {

bool Engine::Impl::window_has_room(std::size_t bytes) const {
  return window_jobs_ < options_.window.jobs && window_bytes_ + bytes <= window_bytes_max;
}

void Engine::Impl::ready_back(TopicState& state, Partition& partition, Job&& job,
                              std::int64_t since) {
  ++window_jobs_;
  window_bytes_ += job.payload.size();
  if (++state.ready == 1) activity_changed(state);
  partition.push_back(std::move(job), since);
}

void Engine::Impl::ready_front(TopicState& state, Partition& partition, Job&& job,
                               std::int64_t since) {
  ++window_jobs_;
  window_bytes_ += job.payload.size();
  if (++state.ready == 1) activity_changed(state);
  partition.push_front(std::move(job), since);
}

ReadyJob Engine::Impl::ready_taken(TopicState& state, ReadyJob&& taken) {
  --window_jobs_;
  window_bytes_ -= taken.job.payload.size();
  if (--state.ready == 0) activity_changed(state);
  return std::move(taken);
}

// Called when the first ready job or subscriber comes, the last goes, or a pause begins or ends.
void Engine::Impl::activity_changed(const TopicState& state) {
  const bool active = state.ready > 0 && !state.subscribers.empty() && !state.topic.paused;
  if (active) {
    active_.insert(state.topic.id);
  } else {
    active_.erase(state.topic.id);
  }
}

void Engine::Impl::due_changed(const Partition& partition) {
  const auto known = due_at_.find(partition.where);
  if (known != due_at_.end()) {
    if (known->second == partition.due_next_ms) return;
    due_.erase({known->second, partition.where});
    due_at_.erase(known);
  }
  if (partition.due_next_ms == due_none) return;
  if (partition.due_next_ms == due_unknown) return want_loads(partition);
  due_.emplace(partition.due_next_ms, partition.where);
  due_at_.emplace(partition.where, partition.due_next_ms);
}

void Engine::Impl::on(ReadyLoaded&& c, Now now, Effects& /*out*/) {
  TopicState& state = topic_at(c.asked.where.topic);
  Partition& partition = partition_at(c.asked.where);
  Lane& lane = partition.lanes[c.asked.priority];
  lane.loading = false;
  for (Job& job : c.jobs) {
    const std::uint64_t seq = job.ref.seq;
    if (seq <= lane.cursor_seq) continue;
    lane.cursor_seq = seq;
    // A row that changed has a due time since, or has ended: it no longer belongs to this order.
    if (leases_.find(job.ref) != nullptr || partition.changed_since(seq, lane.load)) continue;
    const std::int64_t since = since_mono_ms(job, now);
    ready_back(state, partition, std::move(job), since);
  }
  if (!c.more) {
    // Jobs spilled to disk before the request are in its answer; later ones may not be.
    lane.cursor_seq = std::max(lane.cursor_seq, lane.asked_spilled_seq);
    lane.backlog = lane.spilled_seq > lane.asked_spilled_seq;
  }
  partition.load_answered(lane.load);
  want_loads(partition);
}

void Engine::Impl::on(DueLoaded&& c, Now now, Effects& /*out*/) {
  TopicState& state = topic_at(c.asked.where.topic);
  Partition& partition = partition_at(c.asked.where);
  partition.due_loading = false;
  // The cursor was rewound since the request: the order in this answer is no longer valid. Nor is
  // it from the first row on that was written or changed meanwhile.
  bool outdated = partition.due_cursor != c.asked.after;
  for (Job& job : c.jobs) {
    const DuePlace place = Partition::place_of(job);
    outdated = outdated || partition.changed_since(job.ref.seq, partition.due_load) ||
               (partition.noted_due && *partition.noted_due <= place);
    if (outdated) break;
    partition.due_cursor = place;
    if (leases_.find(job.ref) != nullptr || partition.in_lanes(job)) continue;
    if (job.state != State::available) transit(job.state, Trigger::due);
    const std::int64_t since = since_mono_ms(job, now);
    ready_back(state, partition, std::move(job), since);
  }
  if (outdated || c.more) {
    partition.due_next_ms = due_unknown;
  } else {
    partition.due_next_ms = c.next_due_ms.value_or(due_none);
    if (partition.noted_due) {
      partition.due_next_ms = std::min(partition.due_next_ms, partition.noted_due->due_ms);
    }
  }
  partition.load_answered(partition.due_load);
  due_changed(partition);
  want_loads(partition);
}

// The row of one job, for the commands that are parked until it is loaded.
void Engine::Impl::ask_job(Parked&& parked, Effects& out) {
  const Ticket ticket = ++tickets_;
  std::visit(
      [&](auto& waits) {
        waits.load = partition_at(waits.ref.where()).load_asked();
        out.loads.emplace_back(LoadJob{ticket, waits.ref});
      },
      parked);
  parked_.emplace(ticket, std::move(parked));
}

void Engine::Impl::on(JobLoaded&& c, Now now, Effects& out) {
  const auto found = parked_.find(c.ticket);
  require(found != parked_.end(), "an answer has its question");
  Parked parked = std::move(found->second);
  parked_.erase(found);
  const auto [ref, load] =
      std::visit([](const auto& p) { return std::pair(p.ref, p.load); }, parked);
  Partition& partition = partition_at(ref.where());
  const bool outdated = partition.changed_since(ref.seq, load);
  partition.load_answered(load);
  if (outdated) return ask_job(std::move(parked), out);
  if (auto* claim = std::get_if<ParkedClaim>(&parked)) {
    return claim_loaded(std::move(*claim), std::move(c.job), now, out);
  }
  const auto& cancel = std::get<ParkedCancel>(parked);
  const bool here = leases_.find(ref) != nullptr || partition.holds_ready(ref.seq);
  if (here) {
    return on(Cancel{cancel.request, topic_at(ref.topic).topic.name, ref.partition, ref.seq}, now,
              out);
  }
  if (!c.job) {
    return reply(
        out, cancel.request,
        c.finished
            ? refuse(Refusal::conflict, "the job has already ended and cannot be cancelled")
            : refuse(Refusal::not_found,
                     "job not found: a completed job is kept only if its topic has history"));
  }
  transit(c.job->due_ms > now.wall_ms ? c.job->state : State::available, Trigger::cancel);
  finish(*c.job, State::cancelled, DeadReason::none, nullptr, {}, {}, now, out);
  reply(out, cancel.request, Cancelled{});
}

}  // namespace millrace::core
