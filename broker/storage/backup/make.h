// Makes a backup of every shard of a running broker: a folder NAME in the backup folder, with a
// copy of each shard's file and the manifest. It is written as .NAME.part, synced, and then
// renamed: a folder with the final name is complete.
#pragma once

#include "storage/backup/copy.h"
#include "storage/backup/manifest.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace millrace::storage {

struct BackupPlan {
  std::vector<SqliteOptions> shards;
  std::string folder;   // of all backups; it is made if its parent is there
  std::string version;  // of the broker, for the manifest
  std::uint64_t disk_free_bytes_min = 0;
};

struct BackupProgress {
  std::size_t shard = 0;
  std::uint64_t copied_bytes = 0, total_bytes = 0;  // of all shards; the total is an estimate
};
struct BackupWatch {
  std::function<bool()> stop;
  std::function<void(const BackupProgress&)> progress;
};

// Whether a backup of that name can start: the folder, the name, the space. A name that is taken
// fails with FailureKind::busy, an invalid name with not_ours.
[[nodiscard]] Expected<void> may_begin(const BackupPlan& plan, const std::string& name);
// Makes the backup, up to the rename. After a failure its files are removed.
[[nodiscard]] Expected<Manifest> make_backup(const BackupPlan& plan, const std::string& name,
                                             const BackupWatch& watch);

// The part of a name before its last "-", of which --keep counts: nightly of nightly-20260101.
// Empty where there is none.
[[nodiscard]] std::string series_of(const std::string& name);
// Removes the backups of a series but the newest `keep`; the names of those removed.
[[nodiscard]] Expected<std::vector<std::string>> remove_old(const std::string& folder,
                                                            const std::string& series,
                                                            std::size_t keep);
// The newest complete backup of the folder; empty if there is none that can be read.
[[nodiscard]] std::optional<Manifest> newest_backup(const std::string& folder);

}  // namespace millrace::storage
