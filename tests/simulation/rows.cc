#include "rows.h"

#include <sqlite3.h>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::testing {
namespace {

constexpr const char* live_sql =
    "SELECT t.name || '/' || p.partition || '/' || (j.id & 0x7fffffffff), j.payload, j.attempt,"
    "       j.deaths, j.key, CASE WHEN l.id IS NULL THEN j.state ELSE 3 END, 0"
    "  FROM live_jobs j JOIN partitions p ON p.slot = j.id >> 43 JOIN topics t ON t.id = p.topic_id"
    "  LEFT JOIN leases l ON l.id = j.id ORDER BY j.id";
constexpr const char* ended_sql =
    "SELECT t.name || '/' || p.partition || '/' || (j.id & 0x7fffffffff), j.payload, j.attempt,"
    "       j.deaths, j.key, j.state, j.reason"
    "  FROM finished j JOIN partitions p ON p.slot = j.id >> 43 JOIN topics t ON t.id = p.topic_id"
    "  ORDER BY j.id";
constexpr std::array<const char*, 8> states{"scheduled", "blocked",   "available", "running",
                                            "retryable", "completed", "cancelled", "dead"};
constexpr std::array<const char*, 5> reasons{"", "exhausted", "discarded", "expired",
                                             "quarantined"};

std::string text_of(sqlite3_stmt* row, int column) {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(row, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, column));
  return data == nullptr ? std::string() : std::string(data, size);
}

template <std::size_t count>
std::string name_of(const std::array<const char*, count>& names, sqlite3_stmt* row, int column) {
  const auto number = static_cast<std::size_t>(sqlite3_column_int64(row, column));
  return number < count ? names[number] : "number " + std::to_string(number);
}

void add_row(sqlite3_stmt* row, Recorder& to) {
  HistoryEvent event;
  event.kind = EventKind::final;
  event.job = text_of(row, 0);
  const std::string payload = text_of(row, 1);
  event.tag = payload.substr(0, payload.find(' '));
  event.attempt = static_cast<std::uint32_t>(sqlite3_column_int64(row, 2));
  event.deaths = static_cast<std::uint32_t>(sqlite3_column_int64(row, 3));
  event.key = text_of(row, 4);
  event.word = name_of(states, row, 5);
  event.reason = name_of(reasons, row, 6);
  to.add(std::move(event));
}

}  // namespace

void note_rows(const std::string& path, const char* vfs, Recorder& to) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE, vfs);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> db(opened, sqlite3_close_v2);
  std::string verdict = code == SQLITE_OK ? "" : "it cannot be opened to look at it";
  const auto each = [&](const char* sql, const std::function<void(sqlite3_stmt*)>& take) {
    if (!verdict.empty()) return;
    sqlite3_stmt* prepared = nullptr;
    int step = sqlite3_prepare_v2(db.get(), sql, -1, &prepared, nullptr);
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(prepared,
                                                                          sqlite3_finalize);
    if (step == SQLITE_OK) {
      while ((step = sqlite3_step(prepared)) == SQLITE_ROW) take(prepared);
    }
    if (step != SQLITE_DONE) verdict = sqlite3_errmsg(db.get());
  };
  each(live_sql, [&to](sqlite3_stmt* row) { add_row(row, to); });
  each(ended_sql, [&to](sqlite3_stmt* row) { add_row(row, to); });
  std::string said;
  each("PRAGMA integrity_check(1)", [&said](sqlite3_stmt* row) { said = text_of(row, 0); });
  to.add(EventKind::end, verdict.empty() ? said : verdict);
}

}  // namespace millrace::testing
