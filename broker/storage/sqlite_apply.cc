// One commit: the rows of a turn in the order that core/change.h gives, all or none. A change that
// does not find the row it names is a bug, and fails the commit rather than pass silently.
#include "storage/sqlite_rows.h"
#include "storage/sqlite_store_impl.h"

#include <sqlite3.h>
#include <algorithm>

namespace millrace::storage {
namespace {

core::RowRef row_of(const core::Job& job) { return job.row(); }
core::RowRef row_of(const core::JobFinish& finish) { return finish.row; }

}  // namespace

void SqliteStore::commit(core::ChangeSet&& changes, Committed done) {
  if (failure_) return done(tl::unexpected(*failure_));
  rows_ = 0;
  broken_ = nullptr;
  if (!sql_.begin.run() || !apply(changes) || !sql_.commit.run()) {
    remember_failure(broken_ != nullptr
                         ? Failure{FailureKind::io, std::string("a commit was refused: ") + broken_}
                         : db_.failure("writing"));
    // Nothing after this is answered, and the process stops: recovery decides what was stored.
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return done(tl::unexpected(*failure_));
  }
  done(CommitStats{rows_});
  if (wal_bytes_ >= options_.wal_bytes_max && wal_bytes_ != wal_bytes_checked_) checkpoint();
}

bool SqliteStore::run_rows(Statement& statement, int rows, const char* broken) {
  rows_ += static_cast<std::uint64_t>(rows);
  if (!statement.run()) return false;
  if (sqlite3_changes(db_.get()) == rows) return true;
  broken_ = broken;
  return false;
}

bool SqliteStore::apply(const core::ChangeSet& changes) {
  if (!apply_topics_and_sessions(changes) || !apply_jobs(changes) || !apply_leases(changes))
    return false;
  for (const auto& row : changes.partitions) {
    bind_partition(sql_.put_partition, slot_of(row.where), row);
    ++rows_;
    if (!sql_.put_partition.run()) return false;
  }
  return true;
}

bool SqliteStore::apply_topics_and_sessions(const core::ChangeSet& changes) {
  for (const auto& topic : changes.topics) {
    bind_topic(sql_.put_topic, topic);
    if (!sql_.put_topic.run()) return false;
  }
  for (const auto& session : changes.sessions_put) {
    auto& put = sql_.put_session;
    put.bind_id(1, session.id).bind_text(2, session.name);
    if (!put.bind(3, static_cast<std::int64_t>(session.epoch)).run()) return false;
  }
  for (const auto& id : changes.sessions_dropped) {
    if (!run_rows(sql_.drop_session.bind_id(1, id), 1, "a session that is not there was dropped")) {
      return false;
    }
  }
  for (const auto& producer : changes.producers_put) {
    const std::string answers = encode_answers(producer.answers);
    auto& put = sql_.put_producer;
    put.bind_id(1, producer.id).bind(2, static_cast<std::int64_t>(producer.epoch));
    put.bind(3, producer.seen_ms).bind(4, static_cast<std::int64_t>(producer.answered));
    if (!put.bind_bytes(5, answers).run()) return false;
  }
  for (const auto& id : changes.producers_dropped) {
    if (!sql_.drop_producer.bind_id(1, id).run()) return false;
  }
  for (const auto& request : changes.requests_put) {
    auto& put = sql_.put_request;
    put.bind_id(1, request.id).bind(2, static_cast<std::int64_t>(request.kind));
    put.bind(3, request.at_ms).bind(4, static_cast<std::int64_t>(request.value));
    if (!put.bind(5, request.more ? 1 : 0).run()) return false;
  }
  for (const auto& id : changes.requests_dropped) {
    if (!run_rows(sql_.drop_request.bind_id(1, id), 1, "a request that is not there was dropped")) {
      return false;
    }
  }
  return true;
}

bool SqliteStore::apply_jobs(const core::ChangeSet& changes) {
  for (const auto& row : changes.finished_dropped) {
    if (!run_rows(sql_.drop_finished.bind(1, id_of(row)), 1,
                  "a finished job that is not there was dropped")) {
      return false;
    }
  }
  if (!insert_jobs(changes)) return false;
  for (const auto& update : changes.updates) {
    if (!update_job(update)) return false;
  }
  return finish_jobs(changes.finishes) && write_gaps();
}

// A dead job that is requeued keeps its number, which may be within a pack that still exists:
// commits that delete rows of finished jobs write no packs.
bool SqliteStore::insert_jobs(const core::ChangeSet& changes) {
  const auto& jobs = changes.inserts;
  sort_keys(jobs);
  const bool pack = changes.finished_dropped.empty();
  for (std::size_t first = 0; first < keys_.size();) {
    const std::size_t packed = pack ? pack_at(jobs, first) : 0;
    if (packed > 0 && !insert_pack(jobs, first, packed)) return false;
    const std::size_t done = packed > 0 ? packed : insert_rows(jobs, first);
    if (done == 0) return false;
    first += done;
  }
  return true;
}

// Several rows a statement: to begin and end one costs as much as a row. Most jobs differ from the
// one before in number and payload alone, and what is the same for all is not bound again. These
// statements are long, and are prepared at their first use.
std::size_t SqliteStore::insert_rows(const std::vector<core::Job>& jobs, std::size_t first) {
  if (keys_.size() >= rows_a_statement && !sql_.insert_jobs.valid()) {
    sql_.insert_jobs = {db_.get(), insert_jobs_sql(rows_a_statement)};
    sql_.insert_alike_jobs = {db_.get(), insert_alike_jobs_sql(rows_a_statement)};
  }
  const bool many = keys_.size() - first >= rows_a_statement;
  const bool same = many && alike_from(jobs, first);
  Statement& put = same ? sql_.insert_alike_jobs : many ? sql_.insert_jobs : sql_.insert_job;
  const std::size_t rows = many ? rows_a_statement : 1;
  int bound = same ? bind_alike_jobs(put, jobs[keys_[first].at]) : 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const KeyAt& key = keys_[first + i];
    bound = same ? bind_alike_job(put, bound, key.id, jobs[key.at])
                 : bind_job(put, bound, key.id, jobs[key.at]);
  }
  return run_rows(put, static_cast<int>(rows), "a job was inserted twice") ? rows : 0;
}

bool SqliteStore::alike_from(const std::vector<core::Job>& jobs, std::size_t first) const {
  const core::Job& head = jobs[keys_[first].at];
  for (std::size_t i = 0; i < rows_a_statement; ++i) {
    if (!alike(head, jobs[keys_[first + i].at])) return false;
  }
  return true;
}

// In the order of the keys, so that neighbours share pages.
template <typename Rows>
void SqliteStore::sort_keys(const Rows& rows) {
  keys_.clear();
  keys_.reserve(rows.size());
  for (std::size_t at = 0; at < rows.size(); ++at) {
    keys_.push_back({id_of(row_of(rows[at])), at});
  }
  const auto before = [](const KeyAt& a, const KeyAt& b) { return a.id < b.id; };
  if (!std::is_sorted(keys_.begin(), keys_.end(), before)) {
    std::sort(keys_.begin(), keys_.end(), before);
  }
}

bool SqliteStore::update_job(const core::JobUpdate& update) {
  const std::int64_t id = id_of(update.row);
  bind_update(sql_.update_job, id, update.status);
  if (!sql_.update_job.run()) return false;
  ++rows_;
  return sqlite3_changes(db_.get()) == 1 || leave_pack(id, update);
}

// One statement for each run of consecutive keys: jobs that arrived together mostly end together.
bool SqliteStore::finish_jobs(const std::vector<core::JobFinish>& finishes) {
  sort_keys(finishes);
  for (std::size_t first = 0; first < keys_.size();) {
    std::size_t end = first + 1;
    while (end < keys_.size() && keys_[end].id == keys_[end - 1].id + 1) ++end;
    if (!finish_run(finishes, first, end)) return false;
    first = end;
  }
  return true;
}

bool SqliteStore::finish_run(const std::vector<core::JobFinish>& finishes, std::size_t first,
                             std::size_t end) {
  const std::int64_t first_id = keys_[first].id, last_id = keys_[end - 1].id;
  if (!find_packs(first_id, last_id)) return false;
  int rows = 0;
  for (std::size_t at = first; at < end; ++at) {
    const KeyAt& key = keys_[at];
    PackGaps* pack = pack_with(key.id);
    const core::JobFinish& finish = finishes[key.at];
    if (finish.keep && !keep_finished(key.id, finish, pack != nullptr)) return false;
    pack != nullptr ? leave(*pack, key.id) : static_cast<void>(++rows);
  }
  if (rows == 0) return true;
  sql_.delete_jobs.bind(1, first_id).bind(2, last_id);
  return run_rows(sql_.delete_jobs, rows, "a job that is not there was finished");
}

bool SqliteStore::keep_finished(std::int64_t id, const core::JobFinish& finish, bool packed) {
  std::optional<core::Job> job;
  if (packed && !(job = packed_job(id, true))) return false;
  auto& keep = packed ? sql_.keep_left_job : sql_.keep_job;
  bind_keep(keep, id, finish, job ? &*job : nullptr);
  return run_rows(keep, 1, "a job that is not there was finished");
}

bool SqliteStore::apply_leases(const core::ChangeSet& changes) {
  for (const auto& lease : changes.leases_put) {
    auto& put = sql_.put_lease;
    put.bind(1, id_of(lease.row)).bind_id(2, lease.session);
    put.bind(3, static_cast<std::int64_t>(lease.token)).bind(4, lease.started_ms);
    ++rows_;
    if (!put.run()) return false;
  }
  for (const auto& row : changes.leases_dropped) {
    if (!run_rows(sql_.drop_lease.bind(1, id_of(row)), 1,
                  "a lease that is not there was dropped")) {
      return false;
    }
  }
  return true;
}

}  // namespace millrace::storage
