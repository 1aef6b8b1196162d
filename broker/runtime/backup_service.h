// Where BACKUP and BACKUP_STATUS are answered: one service for all shards of a process, for a
// backup is of them all. A thread makes it (backup_thread.h), anything in a test.
// Threads: start() and report() from any, and neither waits for a disk.
#pragma once

#include "core/job.h"
#include "net/dispatcher.h"
#include "net/replies.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace millrace::runtime {

struct BackupAsk {
  std::string name;
  std::size_t keep = 0;  // of the name's series; 0: remove none
  core::Id16 request{};  // the same in a resend
};

enum class BackupState : std::uint8_t { none, running, done, failed };

struct LastBackup {  // the newest that is whole
  std::string name;
  std::int64_t made_ms = 0, took_ms = 0;
  std::uint64_t bytes = 0;
};
struct BackupReport {
  BackupState state = BackupState::none;
  BackupAsk asked;
  std::string code, error;  // of one that failed
  std::size_t shard = 0, shards = 0;
  std::uint64_t copied_bytes = 0, total_bytes = 0;
  std::int64_t started_ms = 0, took_ms = 0;
  std::size_t removed = 0;
  LastBackup last;
};

struct BackupRefused {
  std::string code, message;  // empty: it was not
};

class BackupService {
 public:
  BackupService() = default;
  virtual ~BackupService() = default;
  BackupService(const BackupService&) = delete;
  BackupService& operator=(const BackupService&) = delete;

  // Begins one, unless one runs. The request that was begun last is taken for a resend.
  [[nodiscard]] virtual BackupRefused start(BackupAsk ask) = 0;
  [[nodiscard]] virtual BackupReport report() const = 0;
};

// Of a verb of the kind backup. backups: null where no backup folder is set.
[[nodiscard]] net::Answer answer_backup(wire::Verb verb, std::string_view body,
                                        BackupService* backups);

}  // namespace millrace::runtime
