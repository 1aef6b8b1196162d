#include "storage/sqlite_reader.h"

#include "storage/file_check.h"
#include "storage/packs.h"
#include "storage/row_key.h"
#include "storage/sqlite_handle.h"
#include "storage/sqlite_rows.h"
#include "storage/sqlite_schema.h"

#include <sqlite3.h>
#include <algorithm>
#include <chrono>

namespace millrace::storage {
namespace {

// An open reader prevents the WAL from restarting at its front: a query ends here.
constexpr std::chrono::seconds question_time_max{1};
constexpr int progress_steps =
    10'000;  // instructions of SQLite's virtual machine between checks of the clock

class SqliteReader : public Reader {
 public:
  SqliteReader(Database db, std::string path) : db_(std::move(db)), path_(std::move(path)) {}

  Expected<std::optional<JobRow>> job(const core::JobRef& ref, bool with_payload) override {
    start_question();
    const auto slot = slot_of(ref.where());
    for (std::uint8_t p = 0; slot && p < core::priorities; ++p) {
      const std::int64_t id = RowKey{*slot, p, ref.seq}.encode();
      for (const bool live : {true, false}) {
        std::vector<JobRow> rows;
        range(ref.where(), live, id - 1, id, 1, {}, with_payload, rows);
        if (failed_) return tl::unexpected(failure());
        if (!rows.empty()) return std::move(rows.front());
      }
    }
    if (failed_) return tl::unexpected(failure());
    return std::nullopt;
  }

  Expected<std::vector<JobRow>> list(const ListFilter& filter) override {
    start_question();
    std::vector<JobRow> found;
    for (const auto& [where, slot] : partitions_of(filter)) {
      if (found.size() >= filter.rows_max) break;
      std::uint64_t after_seq = 0;
      if (filter.after && filter.after->where() == where) after_seq = filter.after->seq;
      std::vector<JobRow> here;
      for (std::uint8_t p = 0; p < core::priorities; ++p) {
        const std::int64_t after = RowKey{slot, p, after_seq}.encode();
        const std::int64_t last = RowKey{slot, p, seq_mask}.encode();
        const std::size_t rows_max = filter.rows_max - found.size();
        if (wants_live(filter)) range(where, true, after, last, rows_max, filter, false, here);
        if (wants_finished(filter)) {
          range(where, false, after, last, rows_max, filter, false, here);
        }
      }
      if (failed_) return tl::unexpected(failure());
      std::sort(here.begin(), here.end(),
                [](const JobRow& a, const JobRow& b) { return a.job.ref.seq < b.job.ref.seq; });
      for (auto& row : here) {
        if (found.size() < filter.rows_max) found.push_back(std::move(row));
      }
    }
    if (failed_) return tl::unexpected(failure());
    return found;
  }

  Expected<std::string> check(const std::function<bool()>& stop) override {
    stop_ = &stop;
    sqlite3_progress_handler(
        db_.get(), progress_steps,
        [](void* self) { return (*static_cast<SqliteReader*>(self)->stop_)() ? 1 : 0; }, this);
    Statement check(db_.get(), "PRAGMA quick_check(1)");
    const bool row = check.row();
    const std::string verdict = row ? std::string(check.bytes(0)) : std::string();
    const bool stopped = !row && stop();
    Expected<std::string> answer = verdict;
    if (!row)
      answer =
          stopped ? Expected<std::string>("interrupted") : tl::unexpected(db_.failure("checking"));
    sqlite3_progress_handler(db_.get(), 0, nullptr, nullptr);
    return answer;
  }

 private:
  static bool wants_live(const ListFilter& f) {
    return !f.state || *f.state < core::State::completed;
  }
  static bool visible(const ListFilter& f, core::TopicId topic) {
    return !f.visible || std::find(f.visible->begin(), f.visible->end(), topic) != f.visible->end();
  }
  static bool wants_finished(const ListFilter& f) {
    return !f.state || *f.state >= core::State::completed;
  }

  [[nodiscard]] Failure failure() const {
    return damaged_ ? damaged(path_, pack_damage) : db_.failure("reading");
  }

  void start_question() {
    failed_ = damaged_ = false;
    until_ = std::chrono::steady_clock::now() + question_time_max;
    sqlite3_progress_handler(
        db_.get(), progress_steps,
        [](void* self) {
          return std::chrono::steady_clock::now() > static_cast<SqliteReader*>(self)->until_ ? 1
                                                                                             : 0;
        },
        this);
  }

  std::optional<Slot> slot_of(core::PartitionRef where) {
    Statement row(db_.get(), "SELECT slot FROM partitions WHERE topic_id=?1 AND partition=?2");
    row.bind(1, where.topic).bind(2, where.partition);
    if (row.row()) return static_cast<Slot>(row.number(0));
    failed_ |= row.failed();
    return std::nullopt;
  }

  std::vector<std::pair<core::PartitionRef, Slot>> partitions_of(const ListFilter& filter) {
    Statement rows(db_.get(),
                   "SELECT topic_id, partition, slot FROM partitions WHERE (?1=0 OR topic_id=?1) "
                   "AND (topic_id, partition)>=(?2,?3) ORDER BY topic_id, partition");
    rows.bind(1, filter.topic.value_or(0));
    rows.bind(2, filter.after ? filter.after->topic : 0);
    rows.bind(3, filter.after ? filter.after->partition : 0);
    std::vector<std::pair<core::PartitionRef, Slot>> found;
    while (rows.row()) {
      const auto topic = static_cast<core::TopicId>(rows.number(0));
      if (!visible(filter, topic)) continue;
      found.push_back(
          {{topic, static_cast<std::uint16_t>(rows.number(1))}, static_cast<Slot>(rows.number(2))});
    }
    failed_ |= rows.failed();
    return found;
  }

  // Rows with after < id <= last; a due time that has passed makes a row available.
  void range(core::PartitionRef where, bool live, std::int64_t after, std::int64_t last,
             std::size_t rows_max, const ListFilter& filter, bool with_payload,
             std::vector<JobRow>& out) {
    if (failed_) return;
    Statement& rows = live ? live_rows() : finished_rows();
    rows.bind(1, after).bind(2, last).bind(3, static_cast<std::int64_t>(rows_max));
    rows.bind(4, filter.state ? static_cast<std::int64_t>(*filter.state) : -1);
    if (!live) return add_finished(rows, where, with_payload, out);
    rows.bind(5, filter.now_wall_ms);
    // All of a pack are available.
    const bool packs = !filter.state || *filter.state == core::State::available;
    add_live(LiveJobs(rows, PackJobs(with_payload ? packs_ : sizes_, after, packs ? last : after)),
             where, with_payload, rows_max, out);
  }

  void add_live(LiveJobs jobs, core::PartitionRef where, bool with_payload, std::size_t rows_max,
                std::vector<JobRow>& out) {
    for (std::size_t count = 0; count < rows_max && jobs.next(); ++count) {
      JobRow row;
      if (jobs.packed()) {
        row.job = jobs.pack().job(where, with_payload);
        row.payload_bytes = jobs.pack().payload_bytes();
      } else {
        const int behind = read_job(live_, where, with_payload, row.job);
        row.payload_bytes = static_cast<std::uint64_t>(live_.number(behind));
      }
      row.state = row.job.state;
      out.push_back(std::move(row));
    }
    failed_ |= jobs.failed();
    damaged_ |= jobs.damaged();
    if (failed_) return;
    live_.reset();
    packs_.reset();
    sizes_.reset();
  }

  void add_finished(Statement& rows, core::PartitionRef where, bool with_payload,
                    std::vector<JobRow>& out) {
    while (rows.row()) {
      JobRow row;
      const int end = read_job(rows, where, with_payload, row.job);
      row.state = row.job.state;
      ReadRow<JobRow> read(rows, end, row);
      end_columns<JobRow>(read);
      row.payload_bytes = static_cast<std::uint64_t>(rows.number(read.next()));
      out.push_back(std::move(row));
    }
    failed_ |= rows.failed();
    if (!failed_) rows.reset();
  }

  Statement& live_rows() {
    if (!live_.valid()) {
      live_ = {db_.get(),
               "SELECT " + job_names() +
                   ", length(payload) FROM jobs WHERE id>?1 AND id<=?2 AND (?4=-1 OR "
                   "(CASE WHEN due_ms>?5 THEN state ELSE 2 END)=?4) ORDER BY id LIMIT ?3"};
      packs_ = {db_.get(), select_packs_sql(true)};
      sizes_ = {db_.get(), select_packs_sql(false)};
    }
    live_.reset();
    return live_;
  }
  Statement& finished_rows() {
    if (!finished_.valid()) {
      finished_ = {
          db_.get(),
          "SELECT " + finished_job_names() + ", " + end_names() +
              ", length(payload) FROM finished WHERE id>?1 AND id<=?2 AND (?4=-1 OR state=?4) "
              "ORDER BY id LIMIT ?3"};
    }
    finished_.reset();
    return finished_;
  }

  Database db_;
  std::string path_;
  Statement live_, finished_, packs_, sizes_;
  std::chrono::steady_clock::time_point until_;
  const std::function<bool()>* stop_ = nullptr;
  bool failed_ = false;
  bool damaged_ = false;  // a pack that is
};

}  // namespace

Expected<std::unique_ptr<Reader>> open_sqlite_reader(const SqliteOptions& options) {
  auto db = open_reader(options);
  if (!db) return tl::unexpected(db.error());
  return std::make_unique<SqliteReader>(std::move(*db), options.path);
}

}  // namespace millrace::storage
