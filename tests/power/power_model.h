// What a store has to hold after each commit, kept apart from the store's own code: rows as texts
// by their place in the file.
#pragma once

#include "core/change.h"

#include <cstdint>
#include <map>
#include <random>
#include <string>

struct sqlite3;

namespace millrace::testing {

using Rows = std::map<std::string, std::string>;  // "table key" -> the other columns

// Changes as an engine makes them, at random, and the rows that they leave.
class PowerModel {
 public:
  explicit PowerModel(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] const Rows& rows() const { return rows_; }
  // The next commit; rows() is what it leaves.
  [[nodiscard]] core::ChangeSet next();
  // The store turned out to hold these rows: what the commit in flight did not bring is undone.
  void go_back_to(const PowerModel& before);

 private:
  void first(core::ChangeSet& changes);
  void insert(core::ChangeSet& changes);
  void update(core::ChangeSet& changes);
  void finish(core::ChangeSet& changes);
  void producer(core::ChangeSet& changes);
  void write_counts(core::ChangeSet& changes);
  void put(const core::Job& job);

  std::mt19937_64 random_;
  Rows rows_;
  std::map<core::JobRef, core::Job> live_;
  std::map<std::uint16_t, core::PartitionCounts> counts_;
  std::uint64_t batches_ = 0;
};

// The rows that the file holds, read by SQL and not by the store. False: it could not be read.
[[nodiscard]] bool read_rows(const std::string& path, const char* vfs, Rows& rows,
                             std::string& wrong);

// The first difference, or empty.
[[nodiscard]] std::string difference(const Rows& wanted, const Rows& found);

}  // namespace millrace::testing
