#include "core/partition.h"

#include "core/check.h"

#include <algorithm>
#include <bit>

namespace millrace::core {
namespace {

// The place of a job in a lane, or the lane's size.
std::size_t find(const Lane& lane, std::uint64_t seq) {
  std::size_t at = 0;
  while (at < lane.jobs.size() && lane.jobs[at].job.ref.seq != seq) ++at;
  return at;
}

}  // namespace

Partition::Partition(PartitionRef at, PartitionCounts kept) : where(at), counts(kept) {
  const std::uint64_t with_due_at_most = counts.scheduled + counts.retryable;
  // A row that was put back with a due time says available, so any live row may have one.
  if (counts.live > 0) due_next_ms = due_unknown;
  for (Lane& lane : lanes) lane.backlog = counts.live > with_due_at_most;
}

bool Partition::beyond_cursor(const Job& job) const {
  if (has_due(job)) return place_of(job) > due_cursor;
  return job.ref.seq > lanes[job.priority].cursor_seq;
}

void Partition::note_due_row(const Job& job) {
  const DuePlace place = place_of(job);
  // The clock may have been set back: read again from just before it. Jobs in memory are skipped.
  if (place <= due_cursor) due_cursor = {place.due_ms, place.priority, place.seq - 1};
  due_next_ms = std::min(due_next_ms, job.due_ms);
  if (due_loading) noted_due = std::min(noted_due.value_or(place), place);
}

void Partition::row_state_changed(State from, State to) {
  if (from == State::scheduled) --counts.scheduled;
  if (from == State::retryable) --counts.retryable;
  if (to == State::scheduled) ++counts.scheduled;
  if (to == State::retryable) ++counts.retryable;
}

void Partition::enter(const Job& job) {
  if (job.state == State::scheduled) ++here_scheduled_;
  if (job.state == State::retryable) ++here_retryable_;
}

void Partition::leave(const Job& job) {
  if (job.state == State::scheduled) --here_scheduled_;
  if (job.state == State::retryable) --here_retryable_;
}

void Partition::push_back(Job&& job, std::int64_t since_mono_ms) {
  enter(job);
  if (has_due(job)) due_in_lanes_.insert(job.ref.seq);
  Lane& lane = lanes[job.priority];
  lane.jobs.push_back({std::move(job), since_mono_ms});
  note_filled(lane);
  ++ready_;
}

void Partition::push_front(Job&& job, std::int64_t since_mono_ms) {
  enter(job);
  if (has_due(job)) due_in_lanes_.insert(job.ref.seq);
  Lane& lane = lanes[job.priority];
  lane.jobs.push_front({std::move(job), since_mono_ms});
  note_filled(lane);
  ++ready_;
}

// The priority of a job rises with its waiting: the lowest of available + priority * step goes
// first. Heads are enough, for within a lane the order is that of arrival.
std::optional<ReadyJob> Partition::take_best() {
  Lane* best = nullptr;
  std::int64_t best_score = 0;
  for (unsigned filled = filled_; filled != 0; filled &= filled - 1) {
    const int p = std::countr_zero(filled);
    Lane& lane = lanes[static_cast<std::size_t>(p)];
    const std::int64_t score = lane.jobs.front().since_mono_ms + p * ageing_step_ms;
    if (best == nullptr || score < best_score) {
      best = &lane;
      best_score = score;
    }
  }
  if (best == nullptr) return std::nullopt;
  ReadyJob taken = best->jobs.pop_front();
  note_filled(*best);
  --ready_;
  due_in_lanes_.erase(taken.job.ref.seq);
  leave(taken.job);
  return taken;
}

std::optional<ReadyJob> Partition::take(std::uint64_t seq) {
  for (Lane& lane : lanes) {
    const std::size_t at = find(lane, seq);
    if (at == lane.jobs.size()) continue;
    ReadyJob taken = lane.jobs.erase(at);
    note_filled(lane);
    --ready_;
    due_in_lanes_.erase(seq);
    leave(taken.job);
    return taken;
  }
  return std::nullopt;
}

bool Partition::in_lanes(const Job& job) const { return due_in_lanes_.contains(job.ref.seq); }

const Job* Partition::ready_job(std::uint64_t seq) const {
  for (const Lane& lane : lanes) {
    const std::size_t at = find(lane, seq);
    if (at != lane.jobs.size()) return &lane.jobs[at].job;
  }
  return nullptr;
}

void Partition::enter_running(const Job& job) {
  ++running_;
  enter(job);
}

void Partition::leave_running(const Job& job) {
  require(running_ > 0, "only a running job stops running");
  --running_;
  leave(job);
}

std::optional<std::int64_t> Partition::oldest_since_ms() const {
  std::optional<std::int64_t> oldest;
  for (const Lane& lane : lanes) {
    if (lane.jobs.empty()) continue;
    const std::int64_t at = lane.jobs.front().since_mono_ms;
    if (!oldest || at < *oldest) oldest = at;
  }
  return oldest;
}

std::uint64_t Partition::waiting(State state) const {
  return state == State::scheduled ? counts.scheduled - here_scheduled_
                                   : counts.retryable - here_retryable_;
}

std::uint64_t Partition::available() const {
  return counts.live - waiting(State::scheduled) - waiting(State::retryable) - running_;
}

bool Partition::wants_load(std::int64_t now_wall_ms, std::size_t page_jobs) const {
  if (!due_loading && due_next_ms <= now_wall_ms) return true;
  return std::any_of(lanes.begin(), lanes.end(), [page_jobs](const Lane& lane) {
    return lane.backlog && !lane.loading && lane.jobs.size() < page_jobs;
  });
}

void Partition::note_changed(std::uint64_t seq) {
  if (loads_in_flight_.empty()) return;
  changed_[seq] = loads_asked_;
  changes_.emplace_back(loads_asked_, seq);
}

bool Partition::changed_since(std::uint64_t seq, LoadNumber load) const {
  const auto found = changed_.find(seq);
  return found != changed_.end() && found->second >= load;
}

LoadNumber Partition::load_asked() {
  loads_in_flight_.insert(++loads_asked_);
  return loads_asked_;
}

// Drops the changes that are older than every load in flight.
void Partition::load_answered(LoadNumber load) {
  require(loads_in_flight_.erase(load) == 1, "a load is answered once");
  const LoadNumber oldest = loads_in_flight_.empty() ? loads_asked_ + 1 : *loads_in_flight_.begin();
  for (; !changes_.empty() && changes_.front().first < oldest; changes_.pop_front()) {
    const auto [at, seq] = changes_.front();
    const auto found = changed_.find(seq);
    if (found != changed_.end() && found->second == at) changed_.erase(found);
  }
}

}  // namespace millrace::core
