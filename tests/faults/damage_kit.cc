#include "damage_kit.h"

#include "storage/checked_vfs.h"
#include "storage/sqlite_store.h"

#include <sqlite3.h>
#include <unistd.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

namespace millrace::faults {
namespace {

namespace fs = std::filesystem;
using storage::SqliteOptions;

constexpr std::size_t page_bytes = 4'096, sector_bytes = 512;

[[noreturn]] void broken(const std::string& why) {
  std::fprintf(stderr, "bitflip: %s\n", why.c_str());
  std::abort();
}

core::Job job_of(std::uint64_t seq) {
  core::Job job;
  job.ref = {1, 0, seq};
  // Every seventh is larger than a page, and goes on in pages of its own.
  job.payload =
      core::Bytes(std::string(seq % 7 == 0 ? 9'000 : 200, static_cast<char>('a' + seq % 26)));
  job.due_ms = seq % 5 == 0 ? 1'000 : 0;
  return job;
}

void commit(storage::Store& store, core::ChangeSet changes) {
  store.commit(std::move(changes), [](auto answer) {
    if (!answer) broken(answer.error().message);
  });
}

// Jobs [from, to), in commits of four; every third of them is finished again.
void write_jobs(storage::Store& store, std::uint64_t from, std::uint64_t to) {
  for (std::uint64_t seq = from; seq < to; seq += 4) {
    core::ChangeSet changes;
    for (std::uint64_t s = seq; s < seq + 4; ++s) changes.inserts.push_back(job_of(s));
    changes.partitions.push_back({{1, 0}, {.next_seq = seq + 4, .live = seq}});
    commit(store, std::move(changes));
    core::ChangeSet ended;
    core::JobFinish finish;
    finish.row = job_of(seq + 1).row();
    finish.state = core::State::completed;
    finish.finished_ms = static_cast<std::int64_t>(seq);
    finish.keep = seq % 8 == 0;
    ended.finishes.push_back(finish);
    commit(store, std::move(ended));
  }
}

std::unique_ptr<storage::Store> open_store(const std::string& folder, SqliteOptions options) {
  options.path = folder + "/s.db";
  auto store = storage::open_sqlite(std::move(options));
  if (!store) broken(store.error().message);
  if (auto recovered = (*store)->recover(); !recovered) broken(recovered.error().message);
  return std::move(*store);
}

// Every row of every table as text, but the epoch, which each start raises. False: reading failed.
bool dump(const std::string& file, const char* vfs, std::string& out) {
  sqlite3* db = nullptr;
  bool well = sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, vfs) == SQLITE_OK;
  for (const char* table :
       {"topics", "partitions", "jobs", "finished", "sessions", "leases", "producers"}) {
    sqlite3_stmt* rows = nullptr;
    const std::string sql = std::string("SELECT * FROM ") + table + " ORDER BY 1";
    well = well && sqlite3_prepare_v2(db, sql.c_str(), -1, &rows, nullptr) == SQLITE_OK;
    int code = SQLITE_DONE;
    while (well && (code = sqlite3_step(rows)) == SQLITE_ROW) {
      for (int c = 0; c < sqlite3_column_count(rows); ++c) {
        const auto* text = static_cast<const char*>(sqlite3_column_blob(rows, c));
        const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(rows, c));
        out.append(text == nullptr ? "" : text, bytes).push_back('|');
      }
      out.push_back('\n');
    }
    well = well && code == SQLITE_DONE;
    sqlite3_finalize(rows);
  }
  sqlite3_close(db);
  return well;
}

std::uint64_t below(std::mt19937_64& rng, std::uint64_t bound) {
  return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(rng);
}

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_all(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Damages one file of a folder; what was done.
std::string damage(const std::string& folder, std::mt19937_64& rng) {
  std::vector<std::string> files{"/s.db"};
  // The log is as likely as the database; the mark beside it, which is small, is not.
  if (fs::exists(folder + "/s.db-wal")) files = {"/s.db", "/s.db-wal", "/s.db", "/s.db-wal"};
  if (fs::exists(folder + "/s.db-synced") && below(rng, 10) == 0) files = {"/s.db-synced"};
  const std::string name = files[below(rng, files.size())];
  std::string bytes = read_all(folder + name);
  const std::uint64_t at = below(rng, bytes.size());
  const auto say = [&](const std::string& what) {
    write_all(folder + name, bytes);
    return what + " at " + std::to_string(at) + " of " + name.substr(1);
  };
  switch (below(rng, 10)) {
    case 0: {  // a sector of noise
      for (std::uint64_t i = at; i < std::min<std::uint64_t>(at + sector_bytes, bytes.size());
           ++i) {
        bytes[i] = static_cast<char>(rng());
      }
      return say("noise");
    }
    case 1: bytes.resize(at); return say("cut short");
    case 2: {  // cut at a page's end, where nothing looks torn
      const std::uint64_t frame = name == "/s.db" ? page_bytes : page_bytes + 24;
      bytes.resize(at / frame * frame + (name == "/s.db-wal" ? 32 : 0));
      return say("cut at a page's end");
    }
    case 3: {  // a page in the place of another
      const std::uint64_t pages = bytes.size() / page_bytes;
      if (pages < 2) break;
      const std::uint64_t from = below(rng, pages), to = below(rng, pages);
      bytes.replace(to * page_bytes, page_bytes, bytes.substr(from * page_bytes, page_bytes));
      return say("page " + std::to_string(from) + " instead of " + std::to_string(to));
    }
    case 4: {  // zeros, as a file system leaves after a crash
      const std::uint64_t begin = at / sector_bytes * sector_bytes;
      const auto count = std::min<std::uint64_t>(page_bytes, bytes.size() - begin);
      bytes.replace(begin, count, std::string(count, '\0'));
      return say("zeros");
    }
    case 5:
      if (name != "/s.db-wal" || below(rng, 4) != 0) break;
      fs::remove(folder + name);
      return "the log removed";
    default: break;
  }
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(rng, 8)));
  return say("a flipped bit");
}

}  // namespace

DamageKit::DamageKit() {
  const fs::path memory = "/dev/shm";
  std::string pattern =
      ((fs::is_directory(memory) ? memory : fs::temp_directory_path()) / "millrace-bitflip-XXXXXX")
          .string();
  if (::mkdtemp(pattern.data()) == nullptr) broken("no folder for the files: " + pattern);
  folder_ = pattern;
  make_samples();
}

DamageKit::~DamageKit() { fs::remove_all(folder_); }

DamageKit::Sample DamageKit::keep(const std::string& name, const std::string& from) const {
  Sample sample{folder_ + "/" + name, {}};
  fs::copy(from, sample.folder);
  // Read in a copy: reading makes files of its own.
  const std::string copy = folder_ + "/reading";
  fs::copy(sample.folder, copy);
  if (!dump(copy + "/s.db", nullptr, sample.rows)) broken("the sample cannot be read: " + name);
  fs::remove_all(copy);
  return sample;
}

void DamageKit::make_samples() {
  const std::string work = folder_ + "/work";
  fs::create_directory(work);
  // A large log that is never checkpointed while it is open.
  auto store = open_store(work, {.wal_bytes_max = 1 << 30, .wal_bytes_quiet = 1 << 30});
  core::ChangeSet topic;
  topic.topics.push_back({.id = 1, .name = "t"});
  commit(*store, std::move(topic));
  write_jobs(*store, 1, 120);
  samples_.push_back(keep("left", work));
  store.reset();
  samples_.push_back(keep("closed", work));
  // Small: it is checkpointed and restarted again and again.
  store = open_store(work, {.wal_bytes_max = 64 << 10});
  write_jobs(*store, 201, 280);
  samples_.push_back(keep("written-back", work));
}

Trial DamageKit::try_damage(std::mt19937_64& rng) {
  const Sample& sample = samples_[below(rng, samples_.size())];
  const std::string work = folder_ + "/trial";
  fs::remove_all(work);
  fs::copy(sample.folder, work);
  Trial trial;
  trial.what = damage(work, rng) + " in " + fs::path(sample.folder).filename().string();
  {
    auto store = storage::open_sqlite({.path = work + "/s.db"});
    if (!store) return trial.how_seen = "refused at the start", trial;
    if (!(*store)->recover()) return trial.how_seen = "refused at the recovery", trial;
    // What is read meanwhile is right or an error, whatever the check has found by then.
    std::string rows;
    const bool read = dump(work + "/s.db", storage::checked_vfs(nullptr).c_str(), rows);
    if (read && rows != sample.rows) {
      trial.violation = "other rows than those that were written";
      return trial;
    }
    if (!read) return trial.how_seen = "seen when it was read", trial;
    auto reader = (*store)->reader();
    if (!reader) return trial.how_seen = "seen by the check", trial;
    const auto checked = (*reader)->check([] { return false; });
    if (!checked || *checked != "ok") return trial.how_seen = "seen by the check", trial;
  }
  std::string rows;
  if (!dump(work + "/s.db", nullptr, rows) || rows != sample.rows) {
    trial.violation = "nobody saw it, and the rows are not those that were written";
  }
  return trial;
}

}  // namespace millrace::faults
