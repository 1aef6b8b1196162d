#include "storage/backup/contents.h"

#include "storage/checked_vfs.h"
#include "storage/file_check.h"
#include "storage/files.h"
#include "storage/migrations.h"
#include "storage/packs.h"
#include "storage/page_checksum.h"
#include "storage/sqlite_handle.h"
#include "storage/sqlite_schema.h"

#include <filesystem>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

constexpr const char* wrongs_max = "20";  // of one kind, in one file

// A copy that SQLite's own shell made has space for the checksums, but not the checksums; the start
// of a broker writes them.
bool copied_by_another(const std::string& path) {
  std::string page = real_files().head(path, 65'536);
  const auto* bytes = reinterpret_cast<const unsigned char*>(page.data());
  const std::size_t page_bytes = page.size() < 100 ? 0 : page_bytes_of(bytes);
  return page_bytes != 0 && page.size() >= page_bytes && bytes[reserved_at] == checksum_bytes &&
         stored_checksum(bytes, page_bytes) == 0;
}

// A file without a log beside it is read as it lies there: SQLite makes no file next to it, which
// it otherwise would, and could not in a folder that is read-only.
Expected<Database> open_still(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return tl::unexpected(Failure{FailureKind::io, "the file " + path + " does not exist"});
  }
  const bool has_log = real_files().size(path + "-wal").value_or(0) > 0;
  std::string uri = uri_of(path) + (has_log ? "?mode=ro" : "?mode=ro&immutable=1");
  if (!copied_by_another(path)) uri += "&vfs=" + checked_vfs(real_files().vfs());
  auto db = Database::open_uri(uri);
  if (!db) return db;
  if (auto set = db->execute("PRAGMA query_only=ON; PRAGMA trusted_schema=OFF; "
                             "PRAGMA busy_timeout=1000; PRAGMA cell_size_check=ON;");
      !set) {
    return tl::unexpected(set.error());
  }
  return db;
}

Expected<std::vector<NextSequence>> sequences_of(Database& db) {
  Statement rows(db.get(),
                 "SELECT t.name, p.partition, p.next_seq FROM partitions p "
                 "JOIN topics t ON t.id=p.topic_id ORDER BY t.name, p.partition");
  std::vector<NextSequence> found;
  while (rows.row()) {
    found.push_back({std::string(rows.bytes(0)), static_cast<std::uint64_t>(rows.number(1)),
                     static_cast<std::uint64_t>(rows.number(2))});
  }
  if (rows.failed() || !rows.valid()) return tl::unexpected(db.failure("reading"));
  return found;
}

// Prepended to a query on a file of an older version, which has no packs.
constexpr std::int64_t packs_since = 5;
static_assert(pack_jobs_max == 62);  // as the questions below have it
constexpr const char* no_packs =
    "packs(id, count, ends, payloads) AS (SELECT 0, 0, '', '' WHERE 0), "
    "pack_gaps(id, gone) AS (SELECT 0, 0 WHERE 0), ";
// Of each slot: live rows, those scheduled and retryable, the highest number.
constexpr const char* live_rows = R"sql(
bits(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM bits WHERE i < 61),
rows_of AS (
  SELECT id >> 43 AS slot, count(*) AS live, sum(state = 0) AS scheduled, sum(state = 4) AS retryable,
         max(id & 0x7fffffffff) AS seq FROM jobs GROUP BY 1
  UNION ALL
  SELECT id >> 43, sum(count), 0, 0, max((id & 0x7fffffffff) + count - 1) FROM packs GROUP BY 1
  UNION ALL
  SELECT g.id >> 43, -count(*), 0, 0, 0 FROM pack_gaps g JOIN bits b ON g.gone >> b.i & 1 GROUP BY 1),
here AS (
  SELECT slot, sum(live) AS live, sum(scheduled) AS scheduled, sum(retryable) AS retryable,
         max(seq) AS seq FROM rows_of GROUP BY 1)
)sql";

Expected<std::string> live_rows_of(Database& db) {
  auto version = db.number("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  return std::string("WITH RECURSIVE ") + (*version < packs_since ? no_packs : "") + live_rows;
}

Expected<ShardContents> contents_of(Database& db) {
  const auto rows = live_rows_of(db);
  if (!rows) return tl::unexpected(rows.error());
  const std::string live = *rows + " SELECT coalesce(sum(live), 0) FROM here";
  ShardContents contents;
  const std::pair<std::uint64_t*, const char*> numbers[] = {
      {&contents.schema, "PRAGMA user_version"},
      {&contents.epoch, "SELECT coalesce((SELECT value FROM meta WHERE key='epoch'), 0)"},
      {&contents.jobs, live.c_str()},
      {&contents.finished, "SELECT count(*) FROM finished"}};
  for (const auto& [to, sql] : numbers) {
    const auto number = db.number(sql);
    if (!number) return tl::unexpected(number.error());
    *to = static_cast<std::uint64_t>(*number);
  }
  auto sequences = sequences_of(db);
  if (!sequences) return tl::unexpected(sequences.error());
  contents.sequences = std::move(*sequences);
  return contents;
}

// Rows of text: each describes one fault.
void add_rows(Database& db, const std::string& sql, const std::string& before,
              std::vector<std::string>& wrongs) {
  Statement rows(db.get(), sql);
  while (rows.row()) wrongs.push_back(before + std::string(rows.bytes(0)));
  if (rows.failed() || !rows.valid()) wrongs.push_back(db.failure("reading").message);
}

Expected<std::string> schema_text(Database& db) {
  return db.text(
      "SELECT coalesce(group_concat(sql, char(10)), '') FROM (SELECT sql FROM sqlite_schema "
      "WHERE sql IS NOT NULL ORDER BY type, name)");
}

// Whether the log of a broker that no longer runs still has every commit that was synced. The log
// of a running broker changes while it is read: that broker checked it at its start.
Expected<void> check_log(const std::string& path) {
  if (copied_by_another(path) || real_files().size(path + "-wal").value_or(0) == 0) return {};
  const auto lock = real_files().lock(path);
  return lock ? check_file(real_files(), path) : Expected<void>();
}

// The schema that the migrations create, up to that version.
Expected<std::string> schema_of_version(std::size_t version) {
  auto db = Database::open(":memory:", false, nullptr);
  if (!db) return tl::unexpected(db.error());
  for (std::size_t at = 0; at < version; ++at) {
    if (auto done = db->execute(migrations()[at]); !done) return tl::unexpected(done.error());
  }
  return schema_text(*db);
}

void check_schema(Database& db, const std::string& path, std::vector<std::string>& wrongs) {
  const auto application = db.number("PRAGMA application_id");
  const auto version = db.number("PRAGMA user_version");
  if (!application || !version) {
    wrongs.push_back((application ? version : application).error().message);
    return;
  }
  if (*application != application_id) {
    wrongs.push_back(path + " is not a database of Millrace");
    return;
  }
  if (*version < 1 || *version > static_cast<std::int64_t>(migrations().size())) {
    wrongs.push_back(path + " has schema " + std::to_string(*version) +
                     ", this version knows 1 to " + std::to_string(migrations().size()));
    return;
  }
  const auto wanted = schema_of_version(static_cast<std::size_t>(*version));
  const auto found = schema_text(db);
  if (!wanted || !found) {
    wrongs.push_back((wanted ? found : wanted).error().message);
  } else if (*wanted != *found) {
    wrongs.push_back(path + " has schema " + std::to_string(*version) +
                     ", but its tables differ from that schema");
  }
}

// Each partition's counters, which are written in the commits of the rows they count. Behind
// live_rows.
constexpr const char* counters_sql = R"sql(,
ended AS (
  SELECT id >> 43 AS slot, sum(state = 7) AS dead, max(id & 0x7fffffffff) AS seq
    FROM finished GROUP BY 1),
sums AS (
  SELECT t.name || '/' || p.partition AS part, p.*,
         coalesce(h.live, 0) AS live_rows, coalesce(h.scheduled, 0) AS scheduled_rows,
         coalesce(h.retryable, 0) AS retryable_rows, coalesce(e.dead, 0) AS dead_rows,
         max(coalesce(h.seq, 0), coalesce(e.seq, 0)) AS seq
    FROM partitions p LEFT JOIN topics t ON t.id = p.topic_id
         LEFT JOIN here h ON h.slot = p.slot LEFT JOIN ended e ON e.slot = p.slot)
SELECT 'partition ' || part || ' counts ' || live || ' live, ' || scheduled || ' scheduled, ' ||
       retryable || ' retryable, ' || dead || ' dead; its rows are ' || live_rows || ', ' ||
       scheduled_rows || ', ' || retryable_rows || ', ' || dead_rows
  FROM sums WHERE (live, scheduled, retryable, dead) IS NOT
                  (live_rows, scheduled_rows, retryable_rows, dead_rows)
UNION ALL
SELECT 'partition ' || part || ' would give number ' || next_seq || ' next, and has job ' || seq
  FROM sums WHERE seq >= next_seq
UNION ALL
SELECT 'partition in slot ' || slot || ' is of topic ' || topic_id || ', which is not there'
  FROM sums WHERE part IS NULL
UNION ALL
SELECT 'rows of jobs in slot ' || slot || ', which no partition has'
  FROM (SELECT slot FROM here UNION SELECT slot FROM ended)
 WHERE slot NOT IN (SELECT slot FROM partitions)
UNION ALL
SELECT count(*) || ' leases of jobs that are not there'
  FROM leases l WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = l.id)
   AND NOT EXISTS (SELECT 1 FROM packs p LEFT JOIN pack_gaps g ON g.id = p.id
                    WHERE p.id > l.id - 62 AND p.id <= l.id AND l.id < p.id + p.count
                      AND coalesce(g.gone, 0) >> (l.id - p.id) & 1 = 0)
HAVING count(*) > 0
UNION ALL
SELECT 'pack ' || id || ' is inconsistent' FROM (
  SELECT p.id, p.count, count(e.key) AS ends, max(e.value) AS bytes,
         max(e.value < coalesce(json_extract(p.ends, '$[' || nullif(e.key - 1, -1) || ']'), 0)) AS falls,
         length(p.payloads) AS payload_bytes
    FROM (SELECT id, count, iif(json_valid(ends), ends, '[]') AS ends, payloads FROM packs) p
         LEFT JOIN json_each(p.ends) e GROUP BY p.id)
 WHERE count NOT BETWEEN 1 AND 62 OR ends <> count OR bytes IS NOT payload_bytes OR falls
UNION ALL
SELECT 'pack ' || id || ' reaches into the next one'
  FROM (SELECT id, count, lead(id) OVER (ORDER BY id) AS next FROM packs) WHERE id + count > next
UNION ALL
SELECT 'the gaps of pack ' || g.id || ' are not those of a pack that has jobs'
  FROM pack_gaps g LEFT JOIN packs p ON p.id = g.id
 WHERE p.id IS NULL OR g.gone <= 0 OR g.gone >= (1 << p.count) - 1
UNION ALL
SELECT 'job ' || j.id || ' is in pack ' || p.id || ' too'
  FROM jobs j JOIN packs p ON p.id > j.id - 62 AND p.id <= j.id AND j.id < p.id + p.count
       LEFT JOIN pack_gaps g ON g.id = p.id
 WHERE coalesce(g.gone, 0) >> (j.id - p.id) & 1 = 0
LIMIT )sql";

}  // namespace

Expected<ShardContents> read_contents(const std::string& path) {
  auto db = open_still(path);
  if (!db) return tl::unexpected(db.error());
  return contents_of(*db);
}

SoundFile check_shard(const std::string& path) {
  SoundFile sound;
  if (auto log = check_log(path); !log) {
    sound.wrongs.push_back(log.error().message);
    return sound;
  }
  auto db = open_still(path);
  if (!db) {
    sound.wrongs.push_back(db.error().message);
    return sound;
  }
  // A snapshot of a file that may be written to.
  if (auto begun = db->execute("BEGIN"); !begun) {
    sound.wrongs.push_back(begun.error().message);
    return sound;
  }
  check_schema(*db, path, sound.wrongs);
  if (!sound.wrongs.empty()) return sound;
  add_rows(*db,
           std::string("SELECT integrity_check FROM pragma_integrity_check(") + wrongs_max +
               ") WHERE integrity_check <> 'ok'",
           path + ": ", sound.wrongs);
  // In a file with damaged pages the counters mean nothing.
  if (!sound.wrongs.empty()) return sound;
  const auto rows = live_rows_of(*db);
  if (!rows) {
    sound.wrongs.push_back(rows.error().message);
    return sound;
  }
  add_rows(*db, *rows + counters_sql + wrongs_max, path + ": ", sound.wrongs);
  auto contents = contents_of(*db);
  if (contents) {
    sound.contents = std::move(*contents);
  } else {
    sound.wrongs.push_back(contents.error().message);
  }
  return sound;
}

}  // namespace millrace::storage
