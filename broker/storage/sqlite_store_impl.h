// The parts of the SQLite store: commit (sqlite_apply.cc) and its changes to packs
// (sqlite_packs.cc), loads (sqlite_loads.cc), the rest (sqlite_store.cc). Private to the room.
#pragma once

#include "storage/packs.h"
#include "storage/row_key.h"
#include "storage/sqlite_handle.h"
#include "storage/sqlite_schema.h"
#include "storage/sqlite_store.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::storage {

class SqliteStore : public Store {
 public:
  SqliteStore(SqliteOptions options, std::shared_ptr<void> lock, Database db);

  [[nodiscard]] Expected<void> prepare();
  [[nodiscard]] Expected<core::Recovered> recover() override;
  [[nodiscard]] std::uint64_t epoch() const override { return epoch_; }
  void commit(core::ChangeSet&& changes, Committed done) override;
  void load(const core::Load& load, Loaded done) override;
  [[nodiscard]] Expected<bool> upkeep(std::int64_t budget_ms) override;
  [[nodiscard]] Expected<std::unique_ptr<Reader>> reader() const override;
  [[nodiscard]] StoreFacts facts() const override;

 private:
  static constexpr std::size_t rows_a_statement = 16;
  struct Statements {
    Statement begin, commit, rollback;
    Statement put_topic, put_session, drop_session, put_producer, drop_producer, drop_finished,
        put_request, drop_request;
    Statement insert_job, insert_jobs, insert_alike_jobs, update_job, keep_job, delete_jobs,
        put_lease, drop_lease, put_partition;
    Statement ready, due, next_due, one_job, is_finished, dead_ids, one_dead, expired;
    Statement insert_pack, delete_pack, put_gaps, drop_gaps, gaps, keep_left_job;
    Statement packs;
  };
  // The state of a pack in this commit: which of its jobs have left.
  struct PackGaps {
    std::int64_t id = 0;
    std::size_t count = 0;
    std::uint64_t gone = 0;
    bool stored = false;  // there is a row of it
    bool changed = false;

    [[nodiscard]] std::uint64_t bit(std::int64_t key) const {
      const auto at = static_cast<std::uint64_t>(key - id);
      return key < id || at >= count ? 0 : std::uint64_t{1} << at;
    }
    [[nodiscard]] bool has(std::int64_t key) const {
      return bit(key) != 0 && (gone & bit(key)) == 0;
    }
  };

  // Each true if all of its rows were written as they should be.
  [[nodiscard]] bool apply(const core::ChangeSet& changes);
  [[nodiscard]] bool apply_topics_and_sessions(
      const core::ChangeSet& changes);  // topics, sessions, producers
  [[nodiscard]] bool apply_jobs(const core::ChangeSet& changes);
  [[nodiscard]] bool keep_finished(std::int64_t id, const core::JobFinish& finish, bool packed);
  [[nodiscard]] bool insert_jobs(const core::ChangeSet& changes);
  // From keys_[first] on as one statement's rows, or as one pack; how many, 0: it failed.
  [[nodiscard]] std::size_t insert_rows(const std::vector<core::Job>& jobs, std::size_t first);
  [[nodiscard]] bool insert_pack(const std::vector<core::Job>& jobs, std::size_t first,
                                 std::size_t count);
  // How many of keys_ from there on may share a row: neighbours that are alike.
  [[nodiscard]] std::size_t pack_at(const std::vector<core::Job>& jobs, std::size_t first) const;
  [[nodiscard]] bool update_job(const core::JobUpdate& update);
  [[nodiscard]] bool finish_jobs(const std::vector<core::JobFinish>& finishes);
  // keys_[first] up to end, which are neighbours.
  [[nodiscard]] bool finish_run(const std::vector<core::JobFinish>& finishes, std::size_t first,
                                std::size_t end);
  // The packs that may have jobs with first <= key <= last, into found_.
  [[nodiscard]] bool find_packs(std::int64_t first, std::int64_t last);
  [[nodiscard]] PackGaps* pack_with(std::int64_t key);  // of found_; none: nullptr
  static void leave(PackGaps& pack, std::int64_t key);
  // Into a row of its own, with what changed of it.
  [[nodiscard]] bool leave_pack(std::int64_t id, const core::JobUpdate& update);
  [[nodiscard]] bool write_gaps();  // of the packs that this commit changed
  // The rows of one statement from there on, which is there for jobs that are alike.
  [[nodiscard]] bool alike_from(const std::vector<core::Job>& jobs, std::size_t first) const;
  template <typename Rows>
  void sort_keys(const Rows& rows);  // into keys_
  [[nodiscard]] bool apply_leases(const core::ChangeSet& changes);
  // True if it changed exactly so many rows.
  [[nodiscard]] bool run_rows(Statement& statement, int rows, const char* broken);

  [[nodiscard]] core::Command load_ready(const core::LoadReady& load);
  [[nodiscard]] core::Command load_due(const core::LoadDue& load);
  [[nodiscard]] core::Command load_job(const core::LoadJob& load);
  [[nodiscard]] core::Command load_dead(const core::LoadDead& load);
  [[nodiscard]] core::Command load_expired(const core::LoadExpired& load);
  [[nodiscard]] std::optional<core::Job> find_live(const core::JobRef& ref);
  // A row of jobs, or of a pack.
  [[nodiscard]] std::optional<core::Job> live_job(std::int64_t id, bool with_payload);
  [[nodiscard]] std::optional<core::Job> packed_job(std::int64_t id, bool with_payload);
  void reading_failed(bool damaged_pack);

  [[nodiscard]] Slot slot_of(core::PartitionRef where);
  [[nodiscard]] std::optional<Slot> known_slot(core::PartitionRef where) const;
  [[nodiscard]] std::int64_t id_of(const core::RowRef& row);
  void remember_failure(Failure failure);
  void checkpoint();

  SqliteOptions options_;
  std::shared_ptr<void> lock_;
  Database db_;
  Statements sql_;
  std::uint64_t epoch_ = 0;
  std::map<core::PartitionRef, Slot> slots_;
  std::map<Slot, core::PartitionRef> partitions_;
  core::PartitionRef last_where_;  // of slot_of(): most rows follow one of the same partition
  Slot last_slot_ = 0;
  std::uint64_t rows_ = 0;  // of the commit being applied
  struct KeyAt {
    std::int64_t id = 0;
    std::size_t at = 0;  // in the change set
  };
  std::vector<KeyAt> keys_;                // of the kind of change being applied, rising
  std::map<std::int64_t, PackGaps> gaps_;  // of the commit being applied, by id
  std::vector<PackGaps*> found_;           // of find_packs(), rising
  std::string pack_ends_, pack_payloads_;  // of the pack being inserted
  std::int64_t page_bytes_ = 4096;
  bool checksums_ = false;              // a file of an older version has none
  std::int64_t wal_bytes_ = 0;          // after the last commit
  std::int64_t wal_bytes_checked_ = 0;  // as of the last checkpoint
  const char* broken_ = nullptr;        // the assumption of a change that was wrong
  std::optional<Failure> failure_;      // once set, nothing more is answered
};

}  // namespace millrace::storage
