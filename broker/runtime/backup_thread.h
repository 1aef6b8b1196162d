// Makes backups in a thread of its own, one at a time, and reports their progress.
#pragma once

#include "runtime/backup_service.h"
#include "storage/backup/make.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace::runtime {

class BackupThread : public BackupService {
 public:
  // ended: called on the backup thread after each backup, done or failed, and once with state none
  // when the newest earlier backup has been found.
  BackupThread(storage::BackupPlan plan, std::function<void(const BackupReport&)> ended);
  // A running backup is aborted, and its files are removed.
  ~BackupThread() override;

  [[nodiscard]] BackupRefused start(BackupAsk ask) override;
  [[nodiscard]] BackupReport report() const override;

 private:
  void look();
  void make(const BackupAsk& ask);
  void at(const storage::BackupProgress& progress);
  void end(BackupReport ended);

  storage::BackupPlan plan_;
  std::function<void(const BackupReport&)> ended_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;  // guards the two below
  BackupReport report_;
  bool busy_ = true;
  std::thread thread_;
};

}  // namespace millrace::runtime
