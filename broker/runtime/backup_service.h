// Answers BACKUP and BACKUP_STATUS: one object for all shards of a process, because a backup copies
// all of them. A thread makes the backup (backup_thread.h); a test may replace it.
// Threads: start() and report() may be called from any thread, and neither waits for a disk.
#pragma once

#include "core/job.h"
#include "net/dispatcher.h"
#include "net/replies.h"
#include "wire/messages.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace millrace::runtime {

struct BackupAsk {
  std::string name;
  std::size_t keep = 0;  // of the name's series; 0: remove none
  core::Id16 request{};  // the same in a resend
};

using wire::BackupState;

struct LastBackup {  // the newest complete backup
  std::string name;
  std::int64_t made_ms = 0, took_ms = 0;
  std::uint64_t bytes = 0;
};
struct BackupReport {
  BackupState state = BackupState::none;
  BackupAsk asked;
  std::string code, error;  // of a backup that failed
  std::size_t shard = 0, shards = 0;
  std::uint64_t copied_bytes = 0, total_bytes = 0;
  std::int64_t started_ms = 0, took_ms = 0;
  std::size_t removed = 0;
  LastBackup last;
};

struct BackupRefused {
  std::string code, message;  // empty: not refused
};

class BackupService {
 public:
  BackupService() = default;
  virtual ~BackupService() = default;
  BackupService(const BackupService&) = delete;
  BackupService& operator=(const BackupService&) = delete;

  // Starts a backup, unless one is running. A copy of the request that started the last backup
  // starts no second one.
  [[nodiscard]] virtual BackupRefused start(BackupAsk ask) = 0;
  [[nodiscard]] virtual BackupReport report() const = 0;
};

// Of a verb of the kind backup. backups: null where no backup folder is set.
[[nodiscard]] net::Answer answer_backup(wire::Verb verb, std::string_view body,
                                        BackupService* backups);

}  // namespace millrace::runtime
