// Periodic work: leases that are due for a row, sessions that fell silent, rows past their
// retention.
#include "core/check.h"
#include "core/engine_impl.h"

namespace millrace::core {
namespace {

// If two ticks are further apart than this, the process itself was stopped.
constexpr std::int64_t stopped_ms_min = lease_tick_ms * 8;

}  // namespace

bool Engine::Impl::holding(Now now) const {
  if (claims_open_ > 0) return true;
  return absent_ > 0 && now.mono_ms < grace_until_mono_ms_;
}

void Engine::Impl::on(Tick&& /*c*/, Now now, Effects& out) {
  const std::int64_t gap_ms = now.mono_ms - tick_mono_ms_;
  tick_mono_ms_ = now.mono_ms;
  if (gap_ms > stopped_ms_min) {
    // The broker received no messages meanwhile, so no session counts as silent.
    for (auto& [id, session] : sessions_) {
      session.heard_mono_ms = std::min(session.heard_mono_ms + gap_ms, now.mono_ms);
    }
  }
  write_leases(now, out);
  expire_sessions(now, out);
  requests_.drop_old(now.mono_ms, out.changes);
  next_upkeep(now);
  start_finished_work(now, out);
}

void Engine::Impl::write_leases(Now now, Effects& out) {
  while (Lease* lease = leases_.first_unwritten()) {
    if (now.mono_ms - lease->started_mono_ms < lease_tick_ms || !has_left(*lease)) break;
    leases_.mark_written(*lease);
    out.changes.leases_put.push_back(
        {lease->job.row(), lease->session->id, lease->token, lease->started_ms});
  }
}

void Engine::Impl::expire_sessions(Now now, Effects& out) {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    Session& session = (at++)->second;
    if (now.mono_ms - session.heard_mono_ms < options_.lease_ms) continue;
    end_session(session, true, "was silent for longer than its lease", EventKind::session_lost, now,
                out);
  }
}

// One topic a tick, going round; a round starts at most once a minute.
void Engine::Impl::next_upkeep(Now now) {
  if (now.mono_ms < upkeep_mono_ms_ || finished_busy_ || !finished_work_.empty()) return;
  while (upkeep_topic_ < topics_.size()) {
    const TopicState& state = *topics_[upkeep_topic_++];
    bool kept = false;
    for (const auto& partition : state.partitions) {
      if (partition == nullptr) continue;
      const PartitionCounts& counts = partition->counts;
      kept |= counts.dead + counts.completed + counts.cancelled > 0;
    }
    if (!kept) continue;
    finished_work_.push_back({state.topic.id, true, {}});
    return;
  }
  upkeep_topic_ = 0;
  upkeep_mono_ms_ = now.mono_ms + upkeep_ms;
}

void Engine::Impl::start_finished_work(Now now, Effects& out) {
  if (finished_busy_ || finished_work_.empty()) return;
  finished_busy_ = true;
  const FinishedWork& work = finished_work_.front();
  const TopicState& state = topic_at(work.topic);
  if (work.upkeep) {
    const TopicSettings& settings = state.topic.settings;
    std::uint64_t dead = 0;
    for (const auto& partition : state.partitions) {
      if (partition != nullptr) dead += partition->counts.dead;
    }
    const std::uint64_t excess = dead > settings.dead_max ? dead - settings.dead_max : 0;
    out.loads.emplace_back(LoadExpired{work.topic, now.wall_ms - settings.dead_ms,
                                       now.wall_ms - settings.history_ms, excess,
                                       expired_batch_max});
    return;
  }
  LoadDead load;
  load.ticket = ++tickets_;
  load.topic = work.topic;
  load.jobs_max = std::min(work.command.jobs_max, dead_batch_max);
  for (const auto& [partition, seq] : work.command.jobs) {
    load.refs.push_back({work.topic, partition, seq});
  }
  out.loads.emplace_back(std::move(load));
}

void Engine::Impl::on(ExpiredLoaded&& c, Now now, Effects& out) {
  require(finished_busy_, "rows past retention come only when asked for");
  finished_work_.pop_front();
  finished_busy_ = false;
  for (const RowRef& row : c.dead) {
    Partition& partition = partition_at(row.ref.where());
    --partition.counts.dead;
    touch(partition);
    out.changes.finished_dropped.push_back(row);
  }
  for (const RowRef& row : c.others) out.changes.finished_dropped.push_back(row);
  if (c.dead.size() + c.others.size() >= expired_batch_max) {
    finished_work_.push_back({c.topic, true, {}});
  }
  start_finished_work(now, out);
}

}  // namespace millrace::core
