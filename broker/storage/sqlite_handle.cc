#include "storage/sqlite_handle.h"

#include "storage/checked_vfs.h"

#include <sqlite3.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace millrace::storage {
namespace {

FailureKind kind_of(int code) {
  if (code == SQLITE_IOERR_DATA) return FailureKind::damaged;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return FailureKind::busy;
    case SQLITE_CORRUPT: return FailureKind::damaged;
    case SQLITE_NOTADB: return FailureKind::not_ours;
    case SQLITE_FULL: return FailureKind::no_space;
    case SQLITE_READONLY:
    case SQLITE_PERM: return FailureKind::read_only;
    default: return FailureKind::io;
  }
}

std::string_view advice(FailureKind kind) {
  switch (kind) {
    case FailureKind::busy: return "another process has the file open: stop it first";
    case FailureKind::damaged:
      return "the file is damaged: stop the broker, keep a copy of the file and of its -wal file, "
             "and "
             "restore the latest backup";
    case FailureKind::not_ours:
      return "the file is not a database of Millrace: set another data_dir, or restore a backup if "
             "it was one";
    case FailureKind::no_space:
      return "the disk is full: free some space, then start the broker again";
    case FailureKind::read_only: return "the file cannot be written: check its owner and mode";
    case FailureKind::too_new:
    case FailureKind::io: return "check the disk and the system log, then start the broker again";
  }
  return "";
}

// Advice by the system's error number; empty if the kind of failure is more specific.
std::string_view advice_of(int error) {
  switch (error) {
    case ENOENT:
      return "the file or its folder was removed or renamed, or its disk is not mounted: restore "
             "the path";
    case ENOTDIR: return "a part of its path is not a folder: set another data_dir";
    case EISDIR: return "the path is a folder: move it away, or set another data_dir";
    case EACCES:
    case EPERM:
      return "this user has no permission: check the owner and mode of the file and its folder";
    case EROFS: return "the disk is mounted read-only: mount it for writing";
    case ENOSPC:
    case EDQUOT: return "the disk, or the quota of this user on it, is full: free some space";
    case EMFILE:
    case ENFILE: return "no file descriptor is left: raise the limit of open files (ulimit -n)";
    default: return "";
  }
}

}  // namespace

Statement::Statement(sqlite3* db, std::string_view sql) {
  sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                     &handle_, nullptr);
}
Statement::~Statement() { sqlite3_finalize(handle_); }
Statement::Statement(Statement&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      failed_(other.failed_),
      misbound_(other.misbound_) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(failed_, other.failed_);
  std::swap(misbound_, other.misbound_);
  return *this;
}

void Statement::note(int code) { misbound_ |= code != SQLITE_OK; }

Statement& Statement::bind(int at, std::int64_t value) {
  note(sqlite3_bind_int64(handle_, at, value));
  return *this;
}
Statement& Statement::bind_null(int at) {
  note(sqlite3_bind_null(handle_, at));
  return *this;
}
Statement& Statement::bind_text(int at, std::string_view value) {
  if (value.empty()) return bind_null(at);
  note(sqlite3_bind_text(handle_, at, value.data(), static_cast<int>(value.size()), SQLITE_STATIC));
  return *this;
}
Statement& Statement::bind_bytes(int at, std::string_view value) {
  if (value.empty()) {
    note(sqlite3_bind_zeroblob(handle_, at, 0));
  } else {
    note(sqlite3_bind_blob(handle_, at, value.data(), static_cast<int>(value.size()),
                           SQLITE_STATIC));
  }
  return *this;
}
Statement& Statement::bind_bytes_or_null(int at, std::string_view value) {
  return value.empty() ? bind_null(at) : bind_bytes(at, value);
}
Statement& Statement::bind_id(int at, const core::Id16& id) {
  return bind_bytes(at, {reinterpret_cast<const char*>(id.data()), id.size()});
}

bool Statement::row() {
  // A value that could not be bound would leave that of the row before in its place.
  if (handle_ == nullptr || misbound_) {
    failed_ = true;
    return false;
  }
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  failed_ = code != SQLITE_DONE;
  return false;
}

bool Statement::run() {
  failed_ = false;
  while (row()) {
  }
  const bool well = !failed_;
  // The error text belongs to the connection until its next call, so a failed one is not reset.
  if (well) reset();
  return well;
}

void Statement::reset() {
  sqlite3_reset(handle_);
  failed_ = misbound_ = false;
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(handle_, column); }
bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}
std::string_view Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  return data == nullptr
             ? std::string_view()
             : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}
core::Id16 Statement::id(int column) const {
  core::Id16 id{};
  const std::string_view from = bytes(column);
  std::copy_n(from.begin(), std::min(from.size(), id.size()), id.begin());
  return id;
}

Database::~Database() { sqlite3_close_v2(handle_); }
Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), path_(std::move(other.path_)) {}
Database& Database::operator=(Database&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(path_, other.path_);
  return *this;
}

void set_up_sqlite() {
  // Counting its memory would cost a lock an allocation.
  static const int counting_off = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)counting_off;
}

Expected<Database> Database::open(const std::string& path, bool read_only, const char* vfs) {
  set_up_sqlite();
  Database db;
  db.path_ = path;
  const int mode = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (sqlite3_open_v2(path.c_str(), &db.handle_, mode | SQLITE_OPEN_NOMUTEX, vfs) != SQLITE_OK) {
    return tl::unexpected(db.failure("opening"));
  }
  sqlite3_extended_result_codes(db.handle_, 1);
  return db;
}

std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  for (const char ch : path) {
    const bool special = ch == '%' || ch == '?' || ch == '#';
    uri += !special ? std::string(1, ch) : ch == '%' ? "%25" : ch == '?' ? "%3f" : "%23";
  }
  return uri;
}

Expected<Database> Database::open_uri(const std::string& uri) {
  Database db;
  db.path_ = uri.substr(uri.find(':') + 1, uri.find('?') - uri.find(':') - 1);
  const int mode = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(uri.c_str(), &db.handle_, mode, nullptr) != SQLITE_OK) {
    return tl::unexpected(db.failure("opening"));
  }
  sqlite3_extended_result_codes(db.handle_, 1);
  return db;
}

Failure Database::failure(std::string_view doing) const {
  const int code = sqlite3_extended_errcode(handle_);
  const FailureKind kind = kind_of(code);
  const std::string what = code == SQLITE_IOERR_DATA ? page_damage() : sqlite3_errmsg(handle_);
  // The error number of the system, if the system refused the call.
  const bool by_system = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR;
  const int error = by_system && code != SQLITE_IOERR_DATA ? sqlite3_system_errno(handle_) : 0;
  const std::string why = error == 0 ? "" : std::string(": ") + std::strerror(error);
  const std::string_view next = by_system ? advice_of(error) : std::string_view();
  return {kind, std::string(doing) + " " + path_ + ": " + what + why + " (SQLite " +
                    std::to_string(code) + "); " + std::string(next.empty() ? advice(kind) : next)};
}

Expected<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return tl::unexpected(failure("working on"));
  }
  return {};
}

Expected<std::int64_t> Database::number(const std::string& sql) {
  Statement statement(handle_, sql);
  if (!statement.row()) return tl::unexpected(failure("reading"));
  const std::int64_t number = statement.number(0);
  // The last step may write, as for a change of the journal mode.
  if (!statement.run()) return tl::unexpected(failure("reading"));
  return number;
}

Expected<std::string> Database::text(const std::string& sql) {
  Statement statement(handle_, sql);
  if (!statement.row()) return tl::unexpected(failure("reading"));
  std::string text(statement.bytes(0));
  if (!statement.run()) return tl::unexpected(failure("reading"));
  return text;
}

}  // namespace millrace::storage
