#include "storage/backup/make.h"

#include "storage/backup/contents.h"
#include "storage/backup/disk.h"

#include <sys/stat.h>
#include <algorithm>
#include <chrono>
#include <filesystem>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

constexpr const char* part_suffix = ".part";

std::int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string part_of(const std::string& folder, const std::string& name) {
  return folder + "/." + name + part_suffix;
}

// Two brokers may share a backup folder; one at a time writes there.
Expected<std::shared_ptr<void>> take_folder(const std::string& folder) {
  auto lock = real_files().lock(folder + "/backup");
  if (lock || lock.error().kind != FailureKind::busy) return lock;
  return tl::unexpected(Failure{FailureKind::busy, "another broker is writing a backup to " +
                                                       folder + ": try again when it is finished"});
}

// The unfinished backup of an earlier broker that was killed.
void sweep(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with('.') && name.ends_with(part_suffix)) fs::remove_all(entry.path(), error);
  }
}

Expected<std::uint64_t> space_needed(const BackupPlan& plan) {
  std::uint64_t sum = 0;
  for (const auto& shard : plan.shards) {
    auto bytes = used_bytes(shard);
    if (!bytes) return bytes;
    sum += *bytes;
  }
  return sum;
}

// The copy of one shard and its entry in the manifest.
Expected<ShardCopy> copy_one(const BackupPlan& plan, std::size_t shard, const std::string& part,
                             const CopyWatch& watch) {
  ShardCopy copy;
  copy.file = shard_file(shard);
  const std::string to = part + "/" + copy.file;
  if (auto done = copy_shard(plan.shards[shard], to, watch); !done) {
    return tl::unexpected(done.error());
  }
  copy.taken_ms = wall_ms();
  if (::chmod(to.c_str(), 0640) != 0) return tl::unexpected(disk_failure("closing", to, errno));
  copy.bytes = real_files().size(to).value_or(0);
  auto contents = read_contents(to);
  if (!contents) return tl::unexpected(contents.error());
  copy.contents = std::move(*contents);
  auto sum = sha256_of(to);
  if (!sum) return tl::unexpected(sum.error());
  copy.sha256 = std::move(*sum);
  return copy;
}

Expected<Manifest> write_part(const BackupPlan& plan, const std::string& name,
                              const std::string& part, const BackupWatch& watch) {
  const auto begun = std::chrono::steady_clock::now();
  BackupProgress progress;
  const auto total = space_needed(plan);
  if (!total) return tl::unexpected(total.error());
  progress.total_bytes = *total;
  Manifest manifest{.name = name, .version = plan.version, .made_ms = wall_ms()};
  for (; progress.shard < plan.shards.size(); ++progress.shard) {
    const std::uint64_t before = manifest.bytes();
    const auto copied = [&](std::uint64_t bytes) {
      progress.copied_bytes = before + bytes;
      progress.total_bytes = std::max(progress.total_bytes, progress.copied_bytes);
      watch.progress(progress);
    };
    copied(0);
    auto copy =
        copy_one(plan, progress.shard, part, {watch.stop, copied, plan.disk_free_bytes_min});
    if (!copy) return tl::unexpected(copy.error());
    manifest.shards.push_back(std::move(*copy));
  }
  const auto took = std::chrono::steady_clock::now() - begun;
  manifest.took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  if (auto done = write_manifest(manifest, part); !done) return tl::unexpected(done.error());
  if (auto done = sync_path(part); !done) return tl::unexpected(done.error());
  return manifest;
}

}  // namespace

Expected<void> may_begin(const BackupPlan& plan, const std::string& name) {
  if (!valid_backup_name(name)) {
    return tl::unexpected(Failure{FailureKind::not_ours,
                                  "a backup name must consist of 1 to 64 characters of A-Z a-z 0-9 "
                                  ". _ - and begin with a letter or digit"});
  }
  if (auto made = make_folder(plan.folder); !made) return made;
  std::error_code error;
  if (fs::exists(plan.folder + "/" + name, error)) {
    return tl::unexpected(Failure{FailureKind::busy, "the backup " + name + " already exists in " +
                                                         plan.folder + ": choose another name"});
  }
  const auto needed = space_needed(plan);
  if (!needed) return tl::unexpected(needed.error());
  const auto free_bytes = real_files().free_bytes(plan.folder);
  if (!free_bytes) return tl::unexpected(free_bytes.error());
  const std::uint64_t free = *free_bytes;
  if (free < *needed + plan.disk_free_bytes_min) {
    return tl::unexpected(Failure{
        FailureKind::no_space,
        "the backup needs about " + std::to_string(*needed) + " bytes, but the disk of " +
            plan.folder + " has " + std::to_string(free) + " bytes free, of which " +
            std::to_string(plan.disk_free_bytes_min) + " must stay free: remove old backups"});
  }
  return {};
}

Expected<Manifest> make_backup(const BackupPlan& plan, const std::string& name,
                               const BackupWatch& watch) {
  const auto lock = take_folder(plan.folder);
  if (!lock) return tl::unexpected(lock.error());
  sweep(plan.folder);
  const std::string part = part_of(plan.folder, name);
  if (auto made = make_folder(part); !made) return tl::unexpected(made.error());
  auto manifest = write_part(plan, name, part, watch);
  if (manifest) {
    const auto done = rename_synced(part, plan.folder + "/" + name);
    if (done) return manifest;
    manifest = tl::unexpected(done.error());
  }
  std::error_code error;
  fs::remove_all(part, error);
  return manifest;
}

std::string series_of(const std::string& name) {
  const auto dash = name.rfind('-');
  return dash == std::string::npos ? std::string() : name.substr(0, dash);
}

Expected<std::vector<std::string>> remove_old(const std::string& folder, const std::string& series,
                                              std::size_t keep) {
  std::vector<std::pair<std::int64_t, std::string>> found;  // by age
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (!valid_backup_name(name) || series_of(name) != series) continue;
    // A folder without a readable manifest is not a backup and is not removed.
    if (const auto manifest = read_manifest(entry.path()); manifest) {
      found.emplace_back(manifest->made_ms, name);
    }
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> removed;
  for (std::size_t at = keep; at < found.size(); ++at) {
    // Renamed first, so that a half removed backup never has the name of a complete one.
    const std::string& name = found[at].second;
    const std::string part = part_of(folder, name);
    if (auto done = rename_synced(in_folder(folder, name), part); !done) {
      return tl::unexpected(done.error());
    }
    fs::remove_all(part, error);
    removed.push_back(name);
  }
  return removed;
}

std::optional<Manifest> newest_backup(const std::string& folder) {
  std::optional<Manifest> newest;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!valid_backup_name(entry.path().filename())) continue;
    auto manifest = read_manifest(entry.path());
    if (manifest && (!newest || manifest->made_ms > newest->made_ms)) newest = std::move(*manifest);
  }
  return newest;
}

}  // namespace millrace::storage
