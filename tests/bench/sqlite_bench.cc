// Bare SQLite: the table and the settings of broker/storage, nothing around them.
#include "sqlite_bench.h"

#include "tally.h"

#include <sqlite3.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace millrace::bench {
namespace {

constexpr const char* setup =
    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA secure_delete=OFF; PRAGMA cache_size=-32768;"
    "PRAGMA wal_autocheckpoint=2048;"  // 16 MiB, as the broker does
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    " attempts_max INTEGER NOT NULL, deaths INTEGER NOT NULL, enqueued_ms INTEGER NOT NULL,"
    " due_ms INTEGER, key TEXT, headers BLOB, error TEXT, payload BLOB NOT NULL) STRICT;"
    "CREATE INDEX jobs_due ON jobs (id >> 43, due_ms) WHERE due_ms IS NOT NULL;";

struct Range {
  std::size_t from, to;
};

class File {
 public:
  explicit File(const std::string& path) { check(sqlite3_open(path.c_str(), &db_)); }
  ~File() { sqlite3_close(db_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void execute(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
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

 private:
  void check(int code) {
    if (code == SQLITE_OK) return;
    std::fprintf(stderr, "bench: SQLite %d: %s\n", code, sqlite3_errmsg(db_));
    std::exit(1);
  }
  sqlite3* db_ = nullptr;
};

enum class Step { a_row, a_run };

// Rows a second of statement over the ids from+1..to, batch rows a transaction.
double measure(File& file, sqlite3_stmt* statement, Step step, Range ids, std::size_t batch) {
  sqlite3_stmt* const begin = file.prepare("BEGIN IMMEDIATE");
  sqlite3_stmt* const commit = file.prepare("COMMIT");
  const double begun = seconds();
  for (std::size_t done = ids.from; done < ids.to;) {
    file.run(begin);
    const std::size_t end = std::min(done + batch, ids.to);
    while (done < end) {
      const std::size_t first = done + 1;
      sqlite3_bind_int64(statement, 1, static_cast<sqlite3_int64>(first));
      done = step == Step::a_run ? end : first;
      if (step == Step::a_run) sqlite3_bind_int64(statement, 2, static_cast<sqlite3_int64>(done));
      file.run(statement);
    }
    file.run(commit);
  }
  const double took = seconds() - begun;
  for (sqlite3_stmt* each : {begin, commit, statement}) sqlite3_finalize(each);
  return static_cast<double>(ids.to - ids.from) / took;
}

}  // namespace

Rates measure_sqlite(const std::string& folder, std::size_t rows, std::size_t batch,
                     std::size_t payload_bytes) {
  const std::string path = folder + "/bare-" + std::to_string(batch) + ".db";
  Rates rates;
  {
    File file(path);
    file.execute(setup);
    const std::string payload(payload_bytes, 'p');
    sqlite3_stmt* insert = file.prepare(
        "INSERT INTO jobs VALUES (?1, 2, 0, 25, 0, 1700000000000, NULL, NULL, NULL, NULL, ?2)");
    sqlite3_bind_blob(insert, 2, payload.data(), static_cast<int>(payload.size()), SQLITE_STATIC);
    const std::size_t half = (rows + 1) / 2;
    sqlite3_stmt* one = file.prepare("DELETE FROM jobs WHERE id=?1");
    sqlite3_stmt* run = file.prepare("DELETE FROM jobs WHERE id BETWEEN ?1 AND ?2");
    rates.insert_per_s = measure(file, insert, Step::a_row, {0, rows}, batch);
    rates.remove_per_s = measure(file, one, Step::a_row, {0, half}, batch);
    rates.remove_runs_per_s = measure(file, run, Step::a_run, {half, rows}, batch);
  }
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
  return rates;
}

}  // namespace millrace::bench
