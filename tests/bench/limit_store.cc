// A turn receives the frames that have arrived, writes them in one transaction (one row a job,
// straight from the received frame; a run of consecutive acknowledged rows is one DELETE) and then
// sends the answer to the producer and the frame itself to a worker. While it waits for the disk
// the next turn's frames gather.
#include "limit_store.h"

#include "limit_frames.h"

#include <sqlite3.h>
#include <algorithm>
#include <cstdio>
#include <vector>

namespace millrace::bench::limit {
namespace {

constexpr std::size_t frames_a_turn_max = 1'024;

class Rows {
 public:
  explicit Rows(const std::string& path) {
    check(sqlite3_open(path.c_str(), &db_));
    check(sqlite3_exec(db_,
                       "PRAGMA page_size=8192; PRAGMA secure_delete=OFF; PRAGMA journal_mode=WAL; "
                       "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=2048; "
                       "PRAGMA cache_size=-32768;"
                       "CREATE TABLE jobs (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)",
                       nullptr, nullptr, nullptr));
    begin_ = prepare("BEGIN IMMEDIATE");
    commit_ = prepare("COMMIT");
    insert_ = prepare("INSERT INTO jobs VALUES (?1, ?2)");
    remove_ = prepare("DELETE FROM jobs WHERE id BETWEEN ?1 AND ?2");
  }
  ~Rows() {
    for (sqlite3_stmt* each : {begin_, commit_, insert_, remove_}) sqlite3_finalize(each);
    sqlite3_close(db_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  void begin() { run(begin_); }
  void commit() { run(commit_); }
  void insert(Frame& frame) {
    const Header header = header_of(frame);
    const char* at = frame.data() + sizeof header;
    auto id = static_cast<sqlite3_int64>(header.first);
    for (std::uint32_t i = 0; i < header.count; ++i, at += header.payload_bytes) {
      sqlite3_bind_int64(insert_, 1, id++);
      sqlite3_bind_blob(insert_, 2, at, static_cast<int>(header.payload_bytes), SQLITE_STATIC);
      run(insert_);
    }
  }
  void remove(std::vector<Header>& acks) {
    std::sort(acks.begin(), acks.end(),
              [](const Header& a, const Header& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < acks.size();) {
      const std::uint64_t first = acks[i].first;
      std::uint64_t last = first - 1;
      for (; i < acks.size() && acks[i].first == last + 1; ++i) last += acks[i].count;
      sqlite3_bind_int64(remove_, 1, static_cast<sqlite3_int64>(first));
      sqlite3_bind_int64(remove_, 2, static_cast<sqlite3_int64>(last));
      run(remove_);
      if (sqlite3_changes(db_) != static_cast<int>(last - first + 1))
        give_up("a row was not there");
    }
  }

 private:
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr));
    return statement;
  }
  void run(sqlite3_stmt* statement) {
    const int code = sqlite3_step(statement);
    check(code == SQLITE_DONE ? SQLITE_OK : code);
    sqlite3_reset(statement);
  }
  void check(int code) {
    if (code != SQLITE_OK) give_up(std::string("SQLite: ") + sqlite3_errmsg(db_));
  }
  sqlite3* db_ = nullptr;
  sqlite3_stmt *begin_ = nullptr, *commit_ = nullptr, *insert_ = nullptr, *remove_ = nullptr;
};

void wait_for_workers(Link& workers, std::uint64_t count) {
  for (std::uint64_t came = 0; came < count; ++came) {
    Frame hello;
    if (!workers.receive(hello)) give_up("a worker of the limit pipeline did not come");
  }
  std::puts("ready");
  std::fflush(stdout);
}

}  // namespace

void run_store(const StoreOptions& options, Tally& tally) {
  Context context;
  Link producers(context, ZMQ_DEALER), workers(context, ZMQ_DEALER);
  producers.bind(options.producers);
  workers.bind(options.workers);
  Rows rows(options.folder + "/limit.db");
  wait_for_workers(workers, options.workers_count);
  std::vector<Frame> arrived;
  std::vector<Header> acks;
  while (!tally.finished()) {
    wait_for_either(producers, workers, patience_ms);
    arrived.clear();
    acks.clear();
    for (Frame frame; arrived.size() < frames_a_turn_max && producers.receive(frame, 0);) {
      arrived.push_back(std::move(frame));
    }
    for (Frame frame; acks.size() < frames_a_turn_max && workers.receive(frame, 0);) {
      acks.push_back(header_of(frame));
    }
    if (arrived.empty() && acks.empty()) give_up("the limit pipeline stands still");
    rows.begin();
    for (Frame& frame : arrived) rows.insert(frame);
    rows.remove(acks);
    rows.commit();
    for (Frame& frame : arrived) {
      producers.send(frame_of(header_of(frame)));
      workers.send(std::move(frame));
    }
    std::uint64_t deleted = 0;
    for (const Header& ack : acks) deleted += ack.count;
    if (deleted > 0) tally.add(deleted);
  }
}

}  // namespace millrace::bench::limit
