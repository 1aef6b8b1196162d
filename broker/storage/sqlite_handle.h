// SQLite's connection and statements as values that close themselves. Errors are kept as text with
// the extended code; the caller decides what they mean.
#pragma once

#include "core/job.h"
#include "storage/store.h"

#include <cstdint>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace millrace::storage {

// Called once in a process, before any other use of SQLite; no effect later.
void set_up_sqlite();

class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, std::string_view sql);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  [[nodiscard]] bool valid() const { return handle_ != nullptr; }

  // Bound text and bytes are not copied: they must live until the statement has stepped.
  Statement& bind(int at, std::int64_t value);
  Statement& bind_null(int at);
  Statement& bind_text(int at, std::string_view value);   // empty: NULL
  Statement& bind_bytes(int at, std::string_view value);  // empty: a blob of no bytes
  Statement& bind_bytes_or_null(int at, std::string_view value);
  Statement& bind_id(int at, const core::Id16& id);

  // Rows: true while there is one. Anything but a row or the end is kept as failed().
  [[nodiscard]] bool row();
  [[nodiscard]] bool failed() const { return failed_; }
  // Steps to the end and resets; true if that went well.
  [[nodiscard]] bool run();
  void reset();

  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const;  // until the next row
  [[nodiscard]] core::Id16 id(int column) const;

 private:
  void note(int code);  // of a binding

  sqlite3_stmt* handle_ = nullptr;
  bool failed_ = false;
  bool misbound_ = false;  // a value was refused since the last reset
};

[[nodiscard]] std::string uri_of(const std::string& path);

class Database {
 public:
  Database() = default;
  ~Database();
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  [[nodiscard]] static Expected<Database> open(const std::string& path, bool read_only,
                                               const char* vfs);
  // Read-only, by SQLite's own form of a path with options: uri_of(path) + "?immutable=1". What the
  // connection attaches may be named so too.
  [[nodiscard]] static Expected<Database> open_uri(const std::string& uri);
  [[nodiscard]] Expected<void> execute(const std::string& sql);
  [[nodiscard]] Expected<std::int64_t> number(const std::string& sql);
  [[nodiscard]] Expected<std::string> text(const std::string& sql);
  [[nodiscard]] Failure failure(std::string_view doing) const;  // of the last call
  [[nodiscard]] sqlite3* get() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
  std::string path_;
};

}  // namespace millrace::storage
