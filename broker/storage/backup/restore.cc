#include "storage/backup/restore.h"

#include "storage/backup/disk.h"
#include "storage/backup/verify.h"
#include "storage/checked_vfs.h"
#include "storage/files.h"
#include "storage/row_key.h"
#include "storage/sqlite_handle.h"

#include <algorithm>
#include <filesystem>
#include <memory>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

constexpr const char* staging_name = ".restore";
constexpr const char* shards_file = "shards";  // the number that the folder was made with
constexpr std::uint64_t epoch_max = (1U << 24U) - 1;

Restored refuse(RestoreEnd end, std::string why) {
  Restored refused;
  refused.end = end;
  refused.wrongs.push_back(std::move(why));
  return refused;
}
Restored refuse(const Failure& failure) {
  return refuse(failure.kind == FailureKind::busy ? RestoreEnd::not_free : RestoreEnd::disk,
                failure.message);
}

bool is_shard_file(const std::string& name) {
  return name.starts_with("shard-") && name.find(".db") != std::string::npos;
}
bool is_lock(const std::string& name) { return name.ends_with(".lock"); }

// The names in the folder, except those that an earlier restore or broker leaves behind.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name != staging_name && !is_lock(name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

using Locks = std::vector<std::shared_ptr<void>>;

// Locks of every shard that exists or will exist, so that no broker starts meanwhile.
Expected<Locks> take_locks(const std::string& folder, std::size_t shards) {
  std::vector<std::string> files;
  for (std::size_t shard = 0; shard < shards; ++shard) files.push_back(shard_file(shard));
  for (const auto& name : names_in(folder)) {
    if (name.starts_with("shard-") && name.ends_with(".db")) files.push_back(name);
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  Locks locks;
  for (const auto& file : files) {
    auto lock = real_files().lock(in_folder(folder, file));
    if (!lock) return tl::unexpected(lock.error());
    locks.push_back(std::move(*lock));
  }
  return locks;
}

// first_seq is for the partitions that were first used after the backup.
std::string step(std::uint64_t gap) {
  const std::string seqs = std::to_string(gap);
  return "BEGIN IMMEDIATE;"
         "UPDATE meta SET value = value + " +
         std::to_string(epoch_gap) +
         " WHERE key = 'epoch';"
         "INSERT INTO meta VALUES ('first_seq', 1 + " +
         seqs + ") ON CONFLICT (key) DO UPDATE SET value = value + " + seqs +
         ";"
         "UPDATE partitions SET next_seq = next_seq + " +
         seqs + ";DELETE FROM leases; DELETE FROM sessions; COMMIT;";
}

// Copies one shard's file and raises its epoch and job numbers.
Expected<void> stage(const std::string& from, const std::string& to, std::uint64_t gap) {
  if (auto done = copy_file_synced(from, to); !done) return done;
  {
    auto db = Database::open(to, false, checked_vfs(nullptr).c_str());
    if (!db) return tl::unexpected(db.error());
    // Without a write-ahead log until the file is in its place, so that there is no file beside it.
    const auto mode = db->text("PRAGMA journal_mode=DELETE");
    if (!mode) return tl::unexpected(mode.error());
    if (auto done = db->execute("PRAGMA synchronous=FULL;" + step(gap)); !done) return done;
    const auto left = db->number("SELECT coalesce(max(next_seq), 0) FROM partitions");
    if (!left) return tl::unexpected(left.error());
    const auto epoch = db->number("SELECT coalesce(max(value), 0) FROM meta WHERE key='epoch'");
    if (!epoch) return tl::unexpected(epoch.error());
    if (*left >= seq_mask - static_cast<std::int64_t>(seq_gap_max) ||
        static_cast<std::uint64_t>(*epoch) >= epoch_max) {
      return tl::unexpected(
          Failure{FailureKind::io, from + " was restored so often that its job numbers are used "
                                          "up: finish its jobs, and start with an empty folder"});
    }
  }
  return sync_path(to);
}

Expected<void> stage_all(const std::string& backup, const Manifest& manifest,
                         const std::string& staging, std::uint64_t gap) {
  std::error_code error;
  fs::remove_all(staging, error);
  if (auto made = make_folder(staging); !made) return made;
  for (const auto& shard : manifest.shards) {
    const std::string from = backup + "/" + shard.file;
    if (auto done = stage(from, staging + "/" + shard.file, gap); !done) return done;
  }
  return write_synced(staging + "/" + shards_file, std::to_string(manifest.shards.size()) + "\n");
}

// Moves the previous files aside and puts the new files in their place. If this is interrupted, a
// marker file records it.
Expected<void> swap_in(const std::string& data_dir, const std::string& staging,
                       const std::string& aside) {
  const std::string mark = data_dir + "/" + restoring_file;
  if (auto done =
          write_synced(mark, "a restore was interrupted: run the restore again with --replace\n");
      !done) {
    return done;
  }
  if (auto done = sync_path(data_dir); !done) return done;
  if (!aside.empty()) {
    if (auto made = make_folder(aside); !made) return made;
    for (const auto& name : names_in(data_dir)) {
      if (!is_shard_file(name) && name != shards_file) continue;
      const auto from = in_folder(data_dir, name);
      if (auto done = rename_synced(from, in_folder(aside, name)); !done) return done;
    }
  }
  for (const auto& name : names_in(staging)) {
    const auto to = in_folder(data_dir, name);
    if (auto done = rename_synced(in_folder(staging, name), to); !done) return done;
  }
  std::error_code error;
  fs::remove(staging, error);
  fs::remove(mark, error);
  return sync_path(data_dir);
}

std::string in_the_way(const std::string& data_dir, const std::vector<std::string>& names) {
  std::error_code error;
  if (fs::exists(data_dir + "/" + restoring_file, error)) {
    return "a restore into " + data_dir + " was interrupted: run the restore again with --replace";
  }
  return data_dir + " is not empty (" + names.front() +
         "): choose another folder, or use --replace to move the broker's files there aside";
}

}  // namespace

std::uint64_t seq_gap(std::int64_t age_ms) {
  const std::uint64_t seconds = age_ms < 0 ? 0 : static_cast<std::uint64_t>(age_ms) / 1'000;
  const std::uint64_t given = std::min(seconds * seq_gap_a_second, seq_gap_max);
  // A multiple of 1,000,000,000, so that people recognize the gap.
  return std::max((given + seq_gap_min - 1) / seq_gap_min * seq_gap_min, seq_gap_min);
}

Restored restore(const std::string& backup, const std::string& data_dir, bool replace,
                 std::int64_t now_wall_ms) {
  Verdict verdict = verify_backup(backup);
  if (!verdict.found) {
    return refuse(RestoreEnd::not_found, "there is no backup at " + backup + " (no " +
                                             manifest_file + "): give the path of a backup folder");
  }
  Restored restored;
  if (!verdict.sound()) {
    restored.end = RestoreEnd::damaged;
    restored.wrongs = std::move(verdict.wrongs);
    return restored;
  }
  restored.manifest = std::move(*verdict.manifest);
  if (auto made = make_folder(data_dir); !made) return refuse(made.error());
  const auto locks = take_locks(data_dir, restored.manifest.shards.size());
  if (!locks) return refuse(locks.error());
  const auto names = names_in(data_dir);
  if (!names.empty() && !replace) {
    return refuse(RestoreEnd::not_free, in_the_way(data_dir, names));
  }
  restored.seq_gap = seq_gap(now_wall_ms - restored.manifest.made_ms);
  const std::string staging = data_dir + "/" + staging_name;
  if (auto done = stage_all(backup, restored.manifest, staging, restored.seq_gap); !done) {
    std::error_code error;
    fs::remove_all(staging, error);
    return refuse(done.error());
  }
  const bool before = std::any_of(names.begin(), names.end(), is_shard_file);
  if (before) restored.replaced = data_dir + "/replaced-" + std::to_string(now_wall_ms);
  if (auto done = swap_in(data_dir, staging, restored.replaced); !done) return refuse(done.error());
  return restored;
}

}  // namespace millrace::storage
