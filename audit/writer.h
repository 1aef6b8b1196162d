// Writes lines to the files of an audit log, syncs them, and keeps the head file in step.
#pragma once

#include "audit/recovery.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace millrace::audit {

// Lines that go to one file, as they will stand there, and the last of them.
struct Batch {
  std::uint64_t file = 0;
  std::string text;
  std::uint64_t seq = 0;
  std::string hash;
};

// For one thread at a time.
class Writer {
 public:
  Writer(std::string folder, Tip tip) : folder_(std::move(folder)), at_(std::move(tip)) {}

  [[nodiscard]] Expected<void> open();
  // Writes and syncs; what is on disk is taken from the batches, also where it fails later.
  [[nodiscard]] Expected<void> write(std::deque<Batch>* batches);
  // Once, so that a loss of power finds a head; later it may find an older one.
  [[nodiscard]] Expected<void> sync_head();

  [[nodiscard]] const Tip& at() const { return at_; }
  // Set when the state of the file is not known any more.
  [[nodiscard]] const std::optional<Failure>& lost() const { return lost_; }

 private:
  // In place of the file before; flags: O_EXCL for one that must be new.
  Expected<void> open_file_of(std::uint64_t number, int flags);
  Expected<void> write_one(const Batch& batch);
  Expected<void> take_back(const std::string& path, int error);
  Expected<void> lose(Failure failure);
  Expected<void> write_head();

  std::string folder_;
  Tip at_;  // the last line on disk
  File file_, head_;
  std::optional<Failure> lost_;
};

}  // namespace millrace::audit
