#include "storage/sqlite_schema.h"

#include "storage/checked_vfs.h"
#include "storage/file_check.h"
#include "storage/page_checksum.h"

#include <sqlite3.h>
#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace millrace::storage {
namespace {

Failure say(FailureKind kind, std::string message) { return {kind, std::move(message)}; }

// For a new file. Rows of a partition are inserted between those of other partitions, so a full
// page is split; a page of 8 KiB holds twice the rows until then, and costs a commit of one job
// little.
constexpr int page_bytes = 8'192;

// The page size, and the reserved space for a checksum. Both are set before the first page is
// written; a file that was created otherwise keeps its own.
Expected<void> shape_pages(Database& db) {
  auto pages = db.number("PRAGMA page_count");
  if (!pages) return tl::unexpected(pages.error());
  if (*pages > 0) return {};
  if (auto done = db.execute("PRAGMA page_size=" + std::to_string(page_bytes)); !done) return done;
  int bytes = checksum_bytes;
  if (sqlite3_file_control(db.get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes) == SQLITE_OK) {
    return {};
  }
  return tl::unexpected(db.failure("setting up"));
}

Expected<void> set_up(Database& db, std::int64_t wal_bytes_kept) {
  // secure_delete, which some builds of SQLite have on, would write zeros over each job that ends.
  const std::string settings =
      "PRAGMA busy_timeout=0; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
      "PRAGMA secure_delete=OFF;"
      "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY;"
      "PRAGMA cache_size=-32768; PRAGMA journal_size_limit=" +
      std::to_string(wal_bytes_kept) + ";";
  if (auto done = db.execute(settings); !done) return done;
  auto mode = db.text("PRAGMA journal_mode=WAL");
  if (!mode) return tl::unexpected(mode.error());
  auto synchronous = db.number("PRAGMA synchronous");
  if (!synchronous) return tl::unexpected(synchronous.error());
  if (*mode != "wal" || *synchronous != 2) {
    return tl::unexpected(
        say(FailureKind::io, "the file system does not support a write-ahead log (journal mode " +
                                 *mode + "): put data_dir on a local disk"));
  }
  return {};
}

Expected<void> migrate(Database& db, const std::string& path,
                       std::span<const char* const> scripts) {
  auto version = db.number("PRAGMA user_version");
  auto application = db.number("PRAGMA application_id");
  auto tables = db.number("SELECT count(*) FROM sqlite_schema");
  if (!version) return tl::unexpected(version.error());
  if (!application) return tl::unexpected(application.error());
  if (!tables) return tl::unexpected(tables.error());
  const bool fresh = *version == 0 && *application == 0 && *tables == 0;
  if (!fresh && *application != application_id) {
    return tl::unexpected(say(FailureKind::not_ours,
                              path + " is a database of another program: set another data_dir"));
  }
  const auto newest = static_cast<std::int64_t>(scripts.size());
  if (*version > newest) {
    return tl::unexpected(
        say(FailureKind::too_new, path + " has schema " + std::to_string(*version) +
                                      ", this version knows up to " + std::to_string(newest) +
                                      ": run the newer millraced, or restore an older backup"));
  }
  if (*version == newest) return {};
  // All steps in one transaction: whatever happens, the file has the old schema or the newest.
  std::string script = "BEGIN IMMEDIATE;\n";
  for (std::int64_t at = *version; at < newest; ++at) {
    script += scripts[static_cast<std::size_t>(at)];
    script += '\n';
  }
  script += "PRAGMA application_id=" + std::to_string(application_id) +
            "; PRAGMA user_version=" + std::to_string(newest) + "; COMMIT;";
  return db.execute(script);
}

Expected<void> check_schema(Database& db, const std::string& path) {
  static constexpr const char* expected[] = {
      "jobs",     "packs",      "pack_gaps", "finished", "leases",          "meta",    "jobs_due",
      "sessions", "partitions", "producers", "topics",   "finished_by_age", "requests"};
  Statement names(db.get(), "SELECT name FROM sqlite_schema");
  std::vector<std::string> found;
  while (names.row()) found.emplace_back(names.bytes(0));
  if (names.failed()) return tl::unexpected(db.failure("checking"));
  for (const char* name : expected) {
    if (std::find(found.begin(), found.end(), name) == found.end()) {
      return tl::unexpected(damaged(path, std::string("table ") + name + " is missing"));
    }
  }
  return {};
}

}  // namespace

Expected<Database> open_writer(const SqliteOptions& options) {
  const std::string& path = options.path;
  if (auto file = check_file(*options.files, path); !file) return tl::unexpected(file.error());
  // After a failed sync the system may hold pages that it counts as clean although the disk never
  // received them. If an earlier process stopped there, a commit that it did not acknowledge would
  // count as stored until a power loss.
  if (auto written = options.files->write_again(path + "-wal"); !written) {
    return tl::unexpected(written.error());
  }
  auto db = Database::open(path, false, checked_vfs(options.files->vfs()).c_str());
  if (!db) return db;
  if (sqlite3_db_readonly(db->get(), "main") == 1) {
    return tl::unexpected(
        say(FailureKind::read_only, path + " cannot be written: check its owner and mode"));
  }
  if (auto done = shape_pages(*db); !done) return tl::unexpected(done.error());
  if (auto done = set_up(*db, options.wal_bytes_max); !done) return tl::unexpected(done.error());
  // Before the log has any frame: a log without its database file would look like damage, and a
  // journal of the file's creation that came back would undo it.
  if (auto synced = options.files->sync_folder_of(path); !synced) {
    return tl::unexpected(synced.error());
  }
  if (auto done = migrate(*db, path, options.migrations); !done) {
    return tl::unexpected(done.error());
  }
  if (auto done = check_schema(*db, path); !done) return tl::unexpected(done.error());
  return db;
}

bool has_checksums(const Database& db) {
  int bytes = -1;  // asks
  return sqlite3_file_control(db.get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes) == SQLITE_OK &&
         bytes == checksum_bytes;
}

Expected<Database> open_reader(const SqliteOptions& options) {
  auto db = Database::open(options.path, true, checked_vfs(options.files->vfs()).c_str());
  if (!db) return db;
  if (auto done = db->execute("PRAGMA query_only=ON; PRAGMA busy_timeout=1000;"
                              "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-4096;");
      !done) {
    return tl::unexpected(done.error());
  }
  return db;
}

}  // namespace millrace::storage
