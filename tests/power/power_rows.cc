#include "power_rows.h"

#include <sqlite3.h>
#include <memory>

namespace millrace::testing {
namespace {

struct Table {
  const char* name;
  const char* sql;  // key first
};
constexpr Table tables[] = {
    {"jobs",
     "SELECT id, state, attempt, attempts_max, deaths, "
     "ifnull((SELECT died_ms FROM jobs j WHERE j.id = live_jobs.id), 0), enqueued_ms, "
     "ifnull(due_ms,0), ifnull(key,''), ifnull(headers,''), ifnull(error,''), payload FROM "
     "live_jobs"},
    {"finished",
     "SELECT id, topic_id, state, reason, attempt, attempts_max, deaths, enqueued_ms, "
     "ifnull(started_ms,0), finished_ms, ifnull(key,''), ifnull(headers,''), ifnull(error,''), "
     "ifnull(worker,''), ifnull(result,''), payload FROM finished"},
    {"leases", "SELECT id, session, token, started_ms FROM leases"},
    {"sessions", "SELECT hex(id), name, epoch FROM sessions"},
    {"partitions",
     "SELECT slot, topic_id, partition, next_seq, live, scheduled, retryable, dead, enqueued, "
     "completed, cancelled, retried, died FROM partitions"},
    {"producers", "SELECT hex(id), epoch, answered, answers FROM producers"},
    {"requests", "SELECT hex(id), kind, at_ms, value, more FROM requests"},
    {"topics", "SELECT id, name, paused FROM topics"},
};

// The counts that stand beside the rows, against the rows.
constexpr const char* miscounted =
    "WITH here AS MATERIALIZED (SELECT id>>43 AS slot, count(*) AS live, sum(state = 0) AS "
    "scheduled, sum(state = 4) AS retryable FROM live_jobs GROUP BY 1) "
    "SELECT slot FROM partitions p LEFT JOIN here h USING (slot) WHERE "
    "(p.live, p.scheduled, p.retryable) IS NOT "
    "(coalesce(h.live, 0), coalesce(h.scheduled, 0), coalesce(h.retryable, 0)) OR "
    "dead != (SELECT count(*) FROM finished WHERE id>>43 = slot AND state = 7) OR "
    "enqueued - completed - cancelled - died != p.live";

std::string unlike(const std::string& key, const std::string& wanted, const std::string& found) {
  return key + " is [" + found + "] and not [" + wanted + "]";
}

}  // namespace

std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char byte : bytes) {
    value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }
  return value;
}

bool read_rows(const std::string& path, const char* vfs, Rows& rows, std::string& wrong) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, vfs);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> db(opened, sqlite3_close_v2);
  if (code != SQLITE_OK) {
    wrong = "it cannot be opened to look at it";
    return false;
  }
  const auto each = [&](const char* sql, auto&& take) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(db.get(), sql, -1, &prepared, nullptr) != SQLITE_OK) return false;
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(prepared,
                                                                          sqlite3_finalize);
    int step = 0;
    while ((step = sqlite3_step(prepared)) == SQLITE_ROW) take(prepared);
    return step == SQLITE_DONE;
  };
  bool well = each("PRAGMA integrity_check(1)", [&wrong](sqlite3_stmt* row) {
    const std::string said = reinterpret_cast<const char*>(sqlite3_column_text(row, 0));
    if (said != "ok") wrong = "integrity check: " + said;
  });
  well = well && each(miscounted, [&wrong](sqlite3_stmt* row) {
           wrong = "the counts of slot " + std::to_string(sqlite3_column_int64(row, 0)) +
                   " are not those of its rows";
         });
  for (const Table& table : tables) {
    well = well && each(table.sql, [&](sqlite3_stmt* row) {
             Line line;
             for (int i = 1; i < sqlite3_column_count(row); ++i) {
               const bool number = sqlite3_column_type(row, i) == SQLITE_INTEGER;
               const void* data = sqlite3_column_blob(row, i);
               const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, i));
               // A blob of no bytes has no address.
               number ? line << sqlite3_column_int64(row, i)
                      : line << std::string_view(static_cast<const char*>(data), size);
             }
             const std::string key = reinterpret_cast<const char*>(sqlite3_column_text(row, 0));
             rows[std::string(table.name) + " " + key] = line.text();
           });
  }
  if (!well && wrong.empty()) wrong = std::string("reading it: ") + sqlite3_errmsg(db.get());
  return wrong.empty();
}

std::string difference(const Rows& wanted, const Rows& found) {
  for (const auto& [key, row] : wanted) {
    const auto at = found.find(key);
    if (at == found.end()) return key + " is missing";
    if (at->second != row) return unlike(key, row, at->second);
  }
  for (const auto& [key, row] : found) {
    if (!wanted.contains(key)) return key + " is there and should not be";
  }
  return {};
}

}  // namespace millrace::testing
