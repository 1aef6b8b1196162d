// The writer of the audit log: a chain of lines in a folder, in which a changed, removed, inserted
// or moved line is found later (audit/reader.h). One process writes a log; its threads may share
// the object.
//
//   auto log = AuditLog::open({.folder = "/var/lib/millrace/audit"});
//   (*log)->append({{.who = "ops", .from = "ipc", .verb = "pause", .on = "thumbnails"}});
//   (*log)->sync();  // now it is on disk, together with what other threads have appended
#pragma once

#include "audit/line.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>

namespace millrace::audit {

struct LogOptions {
  std::string folder;                           // made where it does not exist, in one that does
  std::uint64_t file_bytes_max = 64ULL << 20U;  // then a new file begins
  std::size_t waiting_bytes_max = 4U << 20U;    // of lines that are not on disk yet
  std::function<WallTime()> now{};              // the system clock, if empty
};

class AuditLog {
 public:
  // Continues the chain. What a crash has left incomplete at the end is moved to a file of its own,
  // and the log says so in a line. FailureKind::damaged: the end of the log is not what was
  // written.
  [[nodiscard]] static Expected<std::unique_ptr<AuditLog>> open(LogOptions options);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Adds all of them in memory, or none. The number of the last line. Does not wait for the disk.
  [[nodiscard]] Expected<std::uint64_t> append(std::span<const Entry> entries);
  [[nodiscard]] Expected<std::uint64_t> append(std::initializer_list<Entry> entries) {
    return append(std::span<const Entry>(entries.begin(), entries.size()));
  }
  // Returns when every line that was appended before the call is on disk: one write and one
  // fdatasync for the lines of all threads. After an error the lines are kept and the next call
  // tries again, unless the disk may have lost what it took: then every later call fails with the
  // same sentence, and the process has to open the log again.
  [[nodiscard]] Expected<void> sync();

  // The last line that is on disk. Kept elsewhere, the hash shows later that nothing up to it was
  // changed (millrace audit verify --head).
  struct Synced {
    std::uint64_t seq = 0;
    std::string hash;
  };
  [[nodiscard]] Synced synced() const;

 private:
  class Impl;
  explicit AuditLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::audit
