// The changes of a commit to packs: new jobs are written as packs, and each job leaves its pack
// when it ends or moves to a row of its own.
#include "storage/sqlite_rows.h"
#include "storage/sqlite_store_impl.h"

#include <algorithm>

namespace millrace::storage {

// At most as many as a pack holds; a longer run is divided evenly.
std::size_t SqliteStore::pack_at(const std::vector<core::Job>& jobs, std::size_t first) const {
  const core::Job& head = jobs[keys_[first].at];
  const std::size_t look_at = std::min(keys_.size() - first, 2 * pack_jobs_max);
  std::size_t run = 0;
  while (run < look_at &&
         keys_[first + run].id == keys_[first].id + static_cast<std::int64_t>(run) &&
         alike(head, jobs[keys_[first + run].at])) {
    ++run;
  }
  std::size_t count = run <= pack_jobs_max || run == 2 * pack_jobs_max ? run : (run + 1) / 2;
  count = std::min(count, pack_jobs_max);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bytes += jobs[keys_[first + i].at].payload.size();
    if (bytes > pack_bytes_max) count = i;
  }
  return count < options_.pack_jobs_min ? 0 : count;
}

bool SqliteStore::insert_pack(const std::vector<core::Job>& jobs, std::size_t first,
                              std::size_t count) {
  pack_ends_.clear();
  pack_payloads_.clear();
  for (std::size_t i = first; i < first + count; ++i) {
    pack_payloads_ += jobs[keys_[i].at].payload.bytes();
    append_end(pack_ends_, pack_payloads_.size());
  }
  close_ends(pack_ends_);
  const core::Job& head = jobs[keys_[first].at];
  auto& put = sql_.insert_pack;
  put.bind(1, keys_[first].id).bind(2, static_cast<std::int64_t>(count));
  BindRow<core::Job> bind(put, 2, head);
  job_columns_shared<Shared::once>(bind);
  put.bind_text(bind.last() + 1, pack_ends_).bind_bytes(bind.last() + 2, pack_payloads_);
  return run_rows(put, 1, "a pack was inserted twice");
}

bool SqliteStore::find_packs(std::int64_t first, std::int64_t last) {
  found_.clear();
  auto& rows = sql_.gaps;
  rows.bind(1, first - static_cast<std::int64_t>(pack_jobs_max)).bind(2, last);
  while (rows.row()) {
    PackGaps pack{rows.number(0), static_cast<std::size_t>(rows.number(1)),
                  static_cast<std::uint64_t>(rows.number(2)), !rows.is_null(2), false};
    found_.push_back(&gaps_.try_emplace(pack.id, pack).first->second);
  }
  if (rows.failed()) return false;
  rows.reset();
  return true;
}

SqliteStore::PackGaps* SqliteStore::pack_with(std::int64_t key) {
  const auto behind = std::upper_bound(found_.begin(), found_.end(), key,
                                       [](std::int64_t k, const PackGaps* p) { return k < p->id; });
  if (behind == found_.begin() || !(*std::prev(behind))->has(key)) return nullptr;
  return *std::prev(behind);
}

void SqliteStore::leave(PackGaps& pack, std::int64_t key) {
  pack.gone |= pack.bit(key);
  pack.changed = true;
}

bool SqliteStore::leave_pack(std::int64_t id, const core::JobUpdate& update) {
  if (!find_packs(id, id)) return false;
  PackGaps* pack = pack_with(id);
  if (pack == nullptr) {
    broken_ = "a job that is not there was updated";
    return false;
  }
  auto job = packed_job(id, true);
  if (!job) return false;
  leave(*pack, id);
  job->status() = update.status;
  bind_job(sql_.insert_job, 0, id, *job);
  return run_rows(sql_.insert_job, 1, "a job was inserted twice");
}

bool SqliteStore::write_gaps() {
  for (const auto& [id, pack] : gaps_) {
    if (!pack.changed) continue;
    if (pack.gone != all_of(pack.count)) {
      if (!run_rows(sql_.put_gaps.bind(1, id).bind(2, static_cast<std::int64_t>(pack.gone)), 1,
                    "the gaps of a pack were not written")) {
        return false;
      }
      continue;
    }
    if (!run_rows(sql_.delete_pack.bind(1, id), 1, "a pack that is not there was deleted")) {
      return false;
    }
    if (pack.stored && !run_rows(sql_.drop_gaps.bind(1, id), 1, "a pack has no gaps")) return false;
  }
  gaps_.clear();
  return true;
}

// The state after the last commit, without the changes of the commit being applied.
std::optional<core::Job> SqliteStore::packed_job(std::int64_t id, bool with_payload) {
  PackJobs jobs(sql_.packs, id - 1, id);
  std::optional<core::Job> job;
  if (jobs.next()) job = jobs.job(partitions_.at(RowKey::decode(id).slot), with_payload);
  if (jobs.failed()) reading_failed(jobs.damaged());
  sql_.packs.reset();
  return job;
}

}  // namespace millrace::storage
