// The end of a turn: ready jobs are delivered to workers with credit, loads are requested from
// storage, and counts are added to the commit.
#include "core/check.h"
#include "core/engine_impl.h"
#include "core/transitions.h"

namespace millrace::core {

void Engine::Impl::on(Dispatch&& /*c*/, Now now, Effects& out) {
  if (!holding(now)) give_jobs(now, out);
  ask_loads(now, out);
  for (Partition* partition : touched_) {
    out.changes.partitions.push_back({partition->where, partition->counts});
    partition->touched = false;
  }
  touched_.clear();
  producers_.flush(out.changes);
  ++turn_;
}

// Topics take turns, one round each, so that a topic with a long backlog does not block the others.
void Engine::Impl::give_jobs(Now now, Effects& out) {
  bool given = true;
  while (given && credit_free_ > 0 && !active_.empty()) {
    given = false;
    std::vector<TopicId> order(active_.upper_bound(next_topic_), active_.end());
    order.insert(order.end(), active_.begin(), active_.upper_bound(next_topic_));
    for (const TopicId id : order) {
      if (!give_round(topic_at(id), now, out)) continue;
      given = true;
      next_topic_ = id;
    }
  }
}

// Each subscriber with credit gets one share of what is ready.
bool Engine::Impl::give_round(TopicState& state, Now now, Effects& out) {
  std::vector<Session*> eligible;
  const std::size_t count = state.subscribers.size();
  for (std::size_t i = 0; i < count; ++i) {
    Session* session = state.subscribers[(state.next_subscriber + i) % count];
    if (session->credit > 0) eligible.push_back(session);
  }
  if (eligible.empty()) return false;
  const std::size_t share = (state.ready + eligible.size() - 1) / eligible.size();
  for (Session* session : eligible) {
    if (state.ready == 0) break;
    const std::size_t jobs_max =
        std::min({share, static_cast<std::size_t>(session->credit), delivery_jobs_max});
    give_batch(state, *session, jobs_max, now, out);
    state.next_subscriber = (state.next_subscriber + 1) % count;
  }
  return true;
}

Partition* Engine::Impl::next_ready(TopicState& state) const {
  const std::size_t count = state.partitions.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = (state.next_partition + i) % count;
    Partition* partition = state.partitions[at].get();
    if (partition == nullptr || partition->ready() == 0) continue;
    state.next_partition = (at + 1) % count;
    return partition;
  }
  return nullptr;
}

void Engine::Impl::give_batch(TopicState& state, Session& session, std::size_t jobs_max, Now now,
                              Effects& out) {
  Partition* partition = next_ready(state);
  require(partition != nullptr, "a topic with ready jobs has a partition with ready jobs");
  Delivery delivery;
  delivery.session = session.id;
  delivery.where = partition->where;
  delivery.run_ms_max = state.topic.settings.run_ms_max;
  std::size_t bytes = 0;
  while (delivery.jobs.size() < jobs_max && bytes < delivery_bytes_max) {
    auto best = partition->take_best();
    if (!best) break;
    ReadyJob ready = ready_taken(state, std::move(*best));
    bytes += ready.job.payload.size();
    lease_job(std::move(ready), session, delivery, now, out);
  }
  session.credit -= delivery.jobs.size();
  credit_free_ -= delivery.jobs.size();
  out.deliveries.push_back(std::move(delivery));
  if (partition->wants_load(now.wall_ms, options_.window.page_jobs)) want_loads(*partition);
}

void Engine::Impl::lease_job(ReadyJob&& ready, Session& session, Delivery& delivery, Now now,
                             Effects& out) {
  transit(State::available, Trigger::deliver);
  Lease lease;
  lease.job = std::move(ready.job);
  lease.token = (options_.epoch << epoch_shift) | ++deliveries_;
  lease.session = &session;
  lease.turn = turn_;
  lease.since_mono_ms = ready.since_mono_ms;
  lease.started_ms = now.wall_ms;
  lease.started_mono_ms = now.mono_ms;
  const Job& job = lease.job;
  delivery.jobs.push_back(
      {job.options(), job.ref.seq, lease.token, job.attempt + 1, job.enqueued_ms});
  Event event{.kind = EventKind::delivered};
  event.ref = job.ref;
  event.attempt = job.attempt + 1;
  event.wait_ms = now.mono_ms - ready.since_mono_ms;
  event.session = session.id;
  out.events.push_back(event);

  partition_at(job.ref.where()).enter_running(job);
  // A payload is kept in case the job comes back, as long as the memory budget allows.
  const std::size_t bytes = job.payload.size();
  lease.payload_kept = held_bytes_ + bytes <= window_bytes_max;
  if (lease.payload_kept) {
    held_bytes_ += bytes;
  } else {
    lease.job.payload = Bytes();
  }
  leases_.add(std::move(lease), session.leases);
}

// A topic with workers may always load rows; another topic only while the window has much space.
bool Engine::Impl::may_load(const TopicState& state, const Partition& partition) const {
  if (!state.subscribers.empty() && !state.topic.paused) {
    return partition.ready() == 0 || window_has_room(page_bytes_max);
  }
  return window_jobs_ < options_.window.jobs / 2 && window_bytes_ < window_bytes_max / 2;
}

void Engine::Impl::ask_loads(Now now, Effects& out) {
  while (!due_.empty() && due_.begin()->first <= now.wall_ms) {
    const PartitionRef where = due_.begin()->second;
    due_.erase(due_.begin());
    due_at_.erase(where);
    candidates_.insert(where);
  }
  // A bounded number of partitions for each turn, in rotation, however many wait for space in the
  // window.
  std::size_t looks = std::min(candidates_.size(), 4 * loads_per_step_max);
  std::size_t loads = 0;
  auto at = candidates_.lower_bound(next_candidate_);
  while (looks-- > 0 && loads < loads_per_step_max && !candidates_.empty()) {
    if (at == candidates_.end()) at = candidates_.begin();
    TopicState& state = topic_at(at->topic);
    Partition& partition = partition_at(*at);
    if (!partition.wants_load(now.wall_ms, options_.window.page_jobs)) {
      at = candidates_.erase(at);
      continue;
    }
    if (may_load(state, partition)) loads += ask_partition(state, partition, now, out);
    ++at;
  }
  next_candidate_ = at == candidates_.end() ? PartitionRef{} : *at;
}

std::size_t Engine::Impl::ask_partition(TopicState& /*state*/, Partition& partition, Now now,
                                        Effects& out) {
  std::size_t asked = 0;
  const bool roomy = window_has_room(page_bytes_max);
  const std::size_t page = options_.window.page_jobs;
  const std::size_t jobs_max = roomy ? page : std::max<std::size_t>(page / 16, 1);
  const std::size_t bytes_max = roomy ? page_bytes_max : page_bytes_max / 4;
  if (!partition.due_loading && partition.due_next_ms <= now.wall_ms) {
    partition.due_loading = true;
    partition.noted_due.reset();
    partition.due_load = partition.load_asked();
    out.loads.emplace_back(
        LoadDue{partition.where, now.wall_ms, partition.due_cursor, jobs_max, bytes_max});
    ++asked;
  }
  for (std::size_t p = 0; p < partition.lanes.size(); ++p) {
    Lane& lane = partition.lanes[p];
    if (!lane.backlog || lane.loading || lane.jobs.size() >= page) continue;
    lane.loading = true;
    lane.asked_spilled_seq = lane.spilled_seq;
    lane.load = partition.load_asked();
    out.loads.emplace_back(LoadReady{partition.where, static_cast<std::uint8_t>(p), lane.cursor_seq,
                                     jobs_max, bytes_max});
    ++asked;
  }
  return asked;
}

}  // namespace millrace::core
