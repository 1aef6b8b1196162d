// The file in which a producer stores its id and epoch over restarts (ProducerOptions::id_file).
//
// One line: "millrace-producer 1 ID EPOCH", the id as 32 hex digits. It is never written in place:
// a new file is written and synced beside it and renamed over it, already locked, so that a crash
// leaves one of the two complete. A process that gets a lock checks that the file still has that
// name.
//
// Threads: one.
#pragma once

#include "wire/messages.h"

#include <millrace/result.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace {

class IdFile {
 public:
  IdFile() = default;
  ~IdFile();  // unlocked
  IdFile(const IdFile&) = delete;
  IdFile& operator=(const IdFile&) = delete;

  // Locks the file, which is made if there is none, and has the next epoch on
  // disk. An error says why not; then the file is as it was.
  [[nodiscard]] std::optional<Error> take(const std::string& path);
  [[nodiscard]] const wire::Id& id() const { return id_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

 private:
  int locked_fd_ = -1;
  wire::Id id_{};
  std::uint64_t epoch_ = 0;
};

}  // namespace millrace
