#include "storage/sqlite_store.h"

#include "storage/sqlite_reader.h"
#include "storage/sqlite_rows.h"
#include "storage/sqlite_store_impl.h"

#include <sqlite3.h>
#include <algorithm>

namespace millrace::storage {
namespace {

constexpr std::int64_t wal_header_bytes = 32, frame_header_bytes = 24;

}  // namespace

int sqlite_version_number() { return sqlite3_libversion_number(); }

Expected<std::unique_ptr<Store>> open_sqlite(SqliteOptions options) {
  set_up_sqlite();
  auto lock = options.files->lock(options.path);
  if (!lock) return tl::unexpected(lock.error());
  auto db = open_writer(options);
  if (!db) return tl::unexpected(db.error());
  options.files->lock_made(options.path, *lock);
  auto store = std::make_unique<SqliteStore>(std::move(options), std::move(*lock), std::move(*db));
  if (auto done = store->prepare(); !done) return tl::unexpected(done.error());
  return store;
}

SqliteStore::SqliteStore(SqliteOptions options, std::shared_ptr<void> lock, Database db)
    : options_(std::move(options)), lock_(std::move(lock)), db_(std::move(db)) {}

Expected<void> SqliteStore::prepare() {
  sqlite3* db = db_.get();
  const std::string jobs = "SELECT " + job_names() + " FROM jobs";
  sql_.begin = {db, "BEGIN IMMEDIATE"};
  sql_.commit = {db, "COMMIT"};
  sql_.rollback = {db, "ROLLBACK"};
  sql_.put_topic = {db, put_topic_sql()};
  sql_.put_session = {
      db, "INSERT OR REPLACE INTO sessions (id, name, epoch) VALUES (?1, coalesce(?2,''), ?3)"};
  sql_.drop_session = {db, "DELETE FROM sessions WHERE id=?1"};
  sql_.put_producer = {db,
                       "INSERT OR REPLACE INTO producers (id, epoch, seen_ms, answered, answers) "
                       "VALUES (?1,?2,?3,?4,?5)"};
  sql_.drop_producer = {db, "DELETE FROM producers WHERE id=?1"};
  sql_.put_request = {
      db, "INSERT INTO requests (id, kind, at_ms, value, more) VALUES (?1,?2,?3,?4,?5)"};
  sql_.drop_request = {db, "DELETE FROM requests WHERE id=?1"};
  sql_.drop_finished = {db, "DELETE FROM finished WHERE id=?1"};
  sql_.insert_job = {db, insert_jobs_sql(1)};
  sql_.update_job = {db, update_job_sql()};
  sql_.keep_job = {db, keep_job_sql()};
  sql_.delete_jobs = {db, "DELETE FROM jobs WHERE id BETWEEN ?1 AND ?2"};
  sql_.put_lease = {
      db, "INSERT OR REPLACE INTO leases (id, session, token, started_ms) VALUES (?1,?2,?3,?4)"};
  sql_.drop_lease = {db, "DELETE FROM leases WHERE id=?1"};
  sql_.put_partition = {db, put_partition_sql()};
  sql_.insert_pack = {db, insert_pack_sql()};
  sql_.delete_pack = {db, "DELETE FROM packs WHERE id=?1"};
  sql_.put_gaps = {db, "INSERT OR REPLACE INTO pack_gaps (id, gone) VALUES (?1,?2)"};
  sql_.drop_gaps = {db, "DELETE FROM pack_gaps WHERE id=?1"};
  sql_.gaps = {db,
               "SELECT p.id, p.count, g.gone FROM packs p LEFT JOIN pack_gaps g ON g.id=p.id "
               "WHERE p.id>?1 AND p.id<=?2 ORDER BY p.id"};
  sql_.keep_left_job = {db, keep_left_job_sql()};
  sql_.packs = {db, select_packs_sql(true)};
  sql_.ready = {db, jobs + " WHERE id>?1 AND id<=?2 AND due_ms IS NULL ORDER BY id LIMIT ?3"};
  sql_.due = {db, jobs +
                      " WHERE id>>43=?1 AND due_ms IS NOT NULL AND "
                      "(due_ms, id)>(?2,?3) AND due_ms<=?4 ORDER BY due_ms, id LIMIT ?5"};
  sql_.next_due = {db,
                   "SELECT due_ms FROM jobs WHERE id>>43=?1 AND due_ms IS NOT NULL AND "
                   "(due_ms, id)>(?2,?3) ORDER BY due_ms, id LIMIT 1"};
  sql_.one_job = {db, jobs + " WHERE id=?1"};
  sql_.is_finished = {db, "SELECT 1 FROM finished WHERE id=?1"};
  sql_.dead_ids = {
      db,
      "SELECT id FROM finished WHERE topic_id=?1 AND state=7 ORDER BY finished_ms, id LIMIT ?2"};
  sql_.one_dead = {db, "SELECT " + finished_job_names() + " FROM finished WHERE id=?1 AND state=7"};
  sql_.expired = {db,
                  "SELECT id FROM finished WHERE topic_id=?1 AND state=?2 AND finished_ms<?3 "
                  "ORDER BY finished_ms, id LIMIT ?4"};
  if (!sql_.begin.valid() || !sql_.insert_job.valid() || !sql_.due.valid() ||
      !sql_.keep_job.valid() || !sql_.expired.valid() || !sql_.put_partition.valid() ||
      !sql_.packs.valid() || !sql_.keep_left_job.valid()) {
    return tl::unexpected(db_.failure("preparing"));
  }
  auto page_bytes = db_.number("PRAGMA page_size");
  if (!page_bytes) return tl::unexpected(page_bytes.error());
  page_bytes_ = *page_bytes;
  checksums_ = has_checksums(db_);
  // The size of the WAL after each commit, without asking the file system.
  sqlite3_wal_hook(
      db,
      [](void* self, sqlite3*, const char*, int pages) {
        auto* store = static_cast<SqliteStore*>(self);
        store->wal_bytes_ = wal_header_bytes + pages * (store->page_bytes_ + frame_header_bytes);
        return SQLITE_OK;
      },
      this);
  return {};
}

Expected<core::Recovered> SqliteStore::recover() {
  if (auto done = db_.execute("BEGIN IMMEDIATE; INSERT INTO meta VALUES ('epoch', 1) ON "
                              "CONFLICT (key) DO UPDATE SET value=value+1; COMMIT");
      !done) {
    return tl::unexpected(done.error());
  }
  auto epoch = db_.number("SELECT value FROM meta WHERE key='epoch'");
  if (!epoch) return tl::unexpected(epoch.error());
  epoch_ = static_cast<std::uint64_t>(*epoch);

  core::Recovered recovered;
  const auto first_seq =
      db_.number("SELECT coalesce((SELECT value FROM meta WHERE key='first_seq'), 1)");
  if (!first_seq) return tl::unexpected(first_seq.error());
  recovered.first_seq = static_cast<std::uint64_t>(*first_seq);
  bool failed = false;
  const auto each = [&](const std::string& sql, auto&& take) {
    Statement rows(db_.get(), sql);
    while (!failed && rows.row()) take(rows);
    failed |= rows.failed();
  };
  each(select_topics_sql(),
       [&](const Statement& row) { recovered.topics.push_back(read_topic(row)); });
  each(select_partitions_sql(), [&](const Statement& row) {
    const auto slot = static_cast<Slot>(row.number(0));
    recovered.partitions.push_back(read_partition(row));
    const core::PartitionRef where = recovered.partitions.back().where;
    slots_[where] = slot;
    partitions_[slot] = where;
  });
  each("SELECT id, name, epoch FROM sessions", [&](const Statement& row) {
    recovered.sessions.push_back(
        {row.id(0), std::string(row.bytes(1)), static_cast<std::uint64_t>(row.number(2))});
  });
  each("SELECT id, epoch, seen_ms, answered, answers FROM producers ORDER BY seen_ms DESC LIMIT " +
           std::to_string(core::producers_max),
       [&](const Statement& row) {
         recovered.producers.push_back({row.id(0), static_cast<std::uint64_t>(row.number(1)),
                                        row.number(2), static_cast<std::uint64_t>(row.number(3)),
                                        decode_answers(row.bytes(4))});
       });
  each("SELECT id, kind, at_ms, value, more FROM requests ORDER BY at_ms",
       [&](const Statement& row) {
         recovered.requests.push_back({row.id(0), static_cast<core::RequestKind>(row.number(1)),
                                       row.number(2), static_cast<std::uint64_t>(row.number(3)),
                                       row.number(4) != 0});
       });
  std::vector<std::pair<std::int64_t, core::LeaseRow>> leases;
  each("SELECT id, session, token, started_ms FROM leases", [&](const Statement& row) {
    leases.push_back(
        {row.number(0), {{}, row.id(1), static_cast<core::Token>(row.number(2)), row.number(3)}});
  });
  if (failed) return tl::unexpected(db_.failure("reading"));
  for (auto& [id, lease] : leases) {
    auto job = live_job(id, false);
    if (failure_) return tl::unexpected(*failure_);
    if (!job) continue;
    lease.row = job->row();
    recovered.leases.push_back({lease, std::move(*job)});
  }
  return recovered;
}

Slot SqliteStore::slot_of(core::PartitionRef where) {
  if (where == last_where_) return last_slot_;
  auto known = slots_.find(where);
  if (known == slots_.end()) {
    const Slot slot = partitions_.empty() ? 0 : partitions_.rbegin()->first + 1;
    known = slots_.emplace(where, slot).first;
    partitions_[slot] = where;
  }
  last_where_ = where;
  last_slot_ = known->second;
  return last_slot_;
}

std::optional<Slot> SqliteStore::known_slot(core::PartitionRef where) const {
  const auto known = slots_.find(where);
  if (known == slots_.end()) return std::nullopt;
  return known->second;
}

std::int64_t SqliteStore::id_of(const core::RowRef& row) {
  return RowKey{slot_of(row.ref.where()), row.priority, row.ref.seq}.encode();
}

void SqliteStore::remember_failure(Failure failure) {
  if (!failure_) failure_ = std::move(failure);
}

// PASSIVE is enough: there is no other writer, and readers hold a snapshot only for a short time.
// Once all frames are checkpointed, the next commit begins at the front of the WAL again. A full
// disk loses nothing: the WAL still has all frames. Any other failure is a failed page write or
// sync, and a second attempt could miss data that the first one lost.
void SqliteStore::checkpoint() {
  const int code =
      sqlite3_wal_checkpoint_v2(db_.get(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_bytes_checked_ = wal_bytes_;
  const int kind = code & 0xff;
  if (kind == SQLITE_OK || kind == SQLITE_BUSY || kind == SQLITE_FULL) return;
  remember_failure(db_.failure("checkpointing the write-ahead log of"));
}

Expected<bool> SqliteStore::upkeep(std::int64_t /*budget_ms*/) {
  if (!failure_ && wal_bytes_ != wal_bytes_checked_ && wal_bytes_ >= options_.wal_bytes_quiet) {
    checkpoint();
  }
  if (failure_) return tl::unexpected(*failure_);
  return false;
}

Expected<std::unique_ptr<Reader>> SqliteStore::reader() const {
  return open_sqlite_reader(options_);
}

StoreFacts SqliteStore::facts() const {
  StoreFacts facts;
  facts.gauges.push_back(
      {"wal_bytes", "Size of the write-ahead log", static_cast<std::uint64_t>(wal_bytes_)});
  facts.store_bytes = options_.files->size(options_.path).value_or(0);
  facts.checksums = checksums_;
  const auto free = options_.files->free_bytes(options_.path);
  facts.disk_free_bytes = free.value_or(0);
  if (!free) facts.gone = free.error().message;
  return facts;
}

}  // namespace millrace::storage
