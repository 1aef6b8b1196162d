// Pages of the backlog and single rows, as the commands that carry them to the engine.
#include "storage/file_check.h"
#include "storage/sqlite_rows.h"
#include "storage/sqlite_store_impl.h"

#include <algorithm>
#include <limits>

namespace millrace::storage {

void SqliteStore::load(const core::Load& load, Loaded done) {
  if (failure_) return done(tl::unexpected(*failure_));
  core::Command answer = std::visit(
      [this](const auto& asked) -> core::Command {
        using T = std::decay_t<decltype(asked)>;
        if constexpr (std::is_same_v<T, core::LoadReady>)
          return load_ready(asked);
        else if constexpr (std::is_same_v<T, core::LoadDue>)
          return load_due(asked);
        else if constexpr (std::is_same_v<T, core::LoadJob>)
          return load_job(asked);
        else if constexpr (std::is_same_v<T, core::LoadDead>)
          return load_dead(asked);
        else
          return load_expired(asked);
      },
      load);
  if (failure_) return done(tl::unexpected(*failure_));
  done(std::move(answer));
}

core::Command SqliteStore::load_ready(const core::LoadReady& load) {
  core::ReadyLoaded answer{load, {}, false};
  const auto slot = known_slot(load.where);
  if (!slot) return answer;
  const std::int64_t after = RowKey{*slot, load.priority, load.after_seq}.encode();
  const std::int64_t last = RowKey{*slot, load.priority, seq_mask}.encode();
  Statement& rows = sql_.ready;
  rows.bind(1, after).bind(2, last).bind(3, static_cast<std::int64_t>(load.jobs_max) + 1);
  LiveJobs jobs(rows, PackJobs(sql_.packs, after, last));
  std::size_t bytes = 0;
  while (jobs.next()) {
    if (answer.jobs.size() == load.jobs_max || bytes >= load.bytes_max) {
      answer.more = true;
      break;
    }
    answer.jobs.push_back(jobs.job(load.where, true));
    bytes += answer.jobs.back().payload.size();
  }
  if (jobs.failed()) reading_failed(jobs.damaged());
  rows.reset();
  sql_.packs.reset();
  return answer;
}

core::Command SqliteStore::load_due(const core::LoadDue& load) {
  core::DueLoaded answer{load, {}, false, std::nullopt};
  const auto slot = known_slot(load.where);
  if (!slot) return answer;
  const std::int64_t after_id = RowKey{*slot, load.after.priority, load.after.seq}.encode();
  Statement& rows = sql_.due;
  rows.bind(1, *slot).bind(2, load.after.due_ms).bind(3, after_id).bind(4, load.until_ms);
  rows.bind(5, static_cast<std::int64_t>(load.jobs_max) + 1);
  std::size_t bytes = 0;
  std::int64_t last_due_ms = load.after.due_ms, last_id = after_id;
  while (rows.row()) {
    if (answer.jobs.size() == load.jobs_max || bytes >= load.bytes_max) {
      answer.more = true;
      break;
    }
    answer.jobs.push_back(read_job(rows, load.where, true));
    last_id = rows.number(0);
    last_due_ms = answer.jobs.back().due_ms;
    bytes += answer.jobs.back().payload.size();
  }
  if (rows.failed()) remember_failure(db_.failure("reading"));
  rows.reset();
  if (answer.more) return answer;
  Statement& next = sql_.next_due;
  next.bind(1, *slot).bind(2, last_due_ms).bind(3, last_id);
  if (next.row()) answer.next_due_ms = next.number(0);
  if (next.failed()) remember_failure(db_.failure("reading"));
  next.reset();
  return answer;
}

std::optional<core::Job> SqliteStore::live_job(std::int64_t id, bool with_payload) {
  Statement& row = sql_.one_job;
  row.bind(1, id);
  std::optional<core::Job> job;
  if (row.row()) job = read_job(row, partitions_.at(RowKey::decode(id).slot), with_payload);
  if (row.failed()) reading_failed(false);
  row.reset();
  return job ? job : packed_job(id, with_payload);
}

std::optional<core::Job> SqliteStore::find_live(const core::JobRef& ref) {
  const auto slot = known_slot(ref.where());
  for (std::uint8_t p = 0; slot && p < core::priorities; ++p) {
    if (auto job = live_job(RowKey{*slot, p, ref.seq}.encode(), true)) return job;
  }
  return std::nullopt;
}

core::Command SqliteStore::load_job(const core::LoadJob& load) {
  core::JobLoaded answer{load.ticket, std::nullopt, false};
  bool failed = false;
  answer.job = find_live(load.ref);
  const auto slot = known_slot(load.ref.where());
  for (std::uint8_t p = 0; slot && !answer.job && p < core::priorities; ++p) {
    Statement& row = sql_.is_finished;
    row.bind(1, RowKey{*slot, p, load.ref.seq}.encode());
    answer.finished |= row.row();
    failed |= row.failed();
    row.reset();
  }
  if (failed) remember_failure(db_.failure("reading"));
  return answer;
}

void SqliteStore::reading_failed(bool damaged_pack) {
  remember_failure(damaged_pack ? damaged(options_.path, pack_damage) : db_.failure("reading"));
}

core::Command SqliteStore::load_dead(const core::LoadDead& load) {
  core::DeadLoaded answer{load.ticket, {}, false};
  std::vector<std::int64_t> ids;
  bool failed = false;
  if (load.refs.empty()) {
    Statement& rows = sql_.dead_ids;
    rows.bind(1, load.topic).bind(2, static_cast<std::int64_t>(load.jobs_max) + 1);
    while (rows.row()) ids.push_back(rows.number(0));
    failed |= rows.failed();
    rows.reset();
    answer.more = ids.size() > load.jobs_max;
    if (answer.more) ids.pop_back();
  }
  for (const auto& ref : load.refs) {
    const auto slot = known_slot(ref.where());
    for (std::uint8_t p = 0; slot && p < core::priorities; ++p) {
      ids.push_back(RowKey{*slot, p, ref.seq}.encode());
    }
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const std::int64_t id : ids) {
    Statement& row = sql_.one_dead;
    row.bind(1, id);
    if (row.row()) {
      answer.jobs.push_back(read_job(row, partitions_.at(RowKey::decode(id).slot), true));
    }
    failed |= row.failed();
    row.reset();
  }
  if (failed) remember_failure(db_.failure("reading"));
  return answer;
}

core::Command SqliteStore::load_expired(const core::LoadExpired& load) {
  core::ExpiredLoaded answer{load.topic, {}, {}};
  bool failed = false;
  const auto ask = [&](core::State state, std::int64_t before_ms, std::size_t rows_max,
                       std::vector<core::RowRef>& out) {
    Statement& rows = sql_.expired;
    rows.bind(1, load.topic).bind(2, static_cast<std::int64_t>(state)).bind(3, before_ms);
    rows.bind(4, static_cast<std::int64_t>(rows_max));
    while (rows.row()) {
      const RowKey key = RowKey::decode(rows.number(0));
      const core::PartitionRef where = partitions_.at(key.slot);
      out.push_back({{where.topic, where.partition, key.seq}, key.priority});
    }
    failed |= rows.failed();
    rows.reset();
  };
  const auto left = [&] { return load.jobs_max - answer.dead.size() - answer.others.size(); };
  // Too many dead jobs: the oldest, whatever their age; else those past their retention.
  if (load.dead_excess > 0) {
    ask(core::State::dead, std::numeric_limits<std::int64_t>::max(),
        std::min<std::size_t>(load.dead_excess, load.jobs_max), answer.dead);
  } else {
    ask(core::State::dead, load.dead_before_ms, load.jobs_max, answer.dead);
  }
  ask(core::State::completed, load.history_before_ms, left(), answer.others);
  ask(core::State::cancelled, load.history_before_ms, left(), answer.others);
  if (failed) remember_failure(db_.failure("reading"));
  return answer;
}

}  // namespace millrace::storage
