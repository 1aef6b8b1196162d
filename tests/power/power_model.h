// Random commits, and the expected contents of a store after each, implemented independently of the
// store's code.
#pragma once

#include "core/change.h"

#include "power_rows.h"

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

namespace millrace::testing {

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
  using Live = std::map<core::JobRef, core::Job>;

  void topic(core::ChangeSet& changes);
  void insert(core::ChangeSet& changes);
  void make_special(core::Job& job);  // a key, headers, a due time
  void update(core::ChangeSet& changes);
  void finish(core::ChangeSet& changes);
  void forget(core::ChangeSet& changes);  // finished rows, by age or to run again
  void lease(core::ChangeSet& changes);
  void session(core::ChangeSet& changes);
  void request(core::ChangeSet& changes);
  void producer(core::ChangeSet& changes);
  void write_counts(core::ChangeSet& changes);
  void put(const core::Job& job);
  void take_out(const core::Job& job);
  void end_lease(core::ChangeSet& changes, const core::Job& job);
  [[nodiscard]] Live::iterator some_live();
  [[nodiscard]] bool chance(unsigned percent) { return random_() % 100 < percent; }

  std::mt19937_64 random_;
  Rows rows_;
  Live live_;
  Live finished_;  // those that have a row, with the state they ended in
  std::set<core::JobRef> leased_;
  std::map<std::uint16_t, core::PartitionCounts> counts_;
  std::uint64_t batches_ = 0, tokens_ = 0;
};

}  // namespace millrace::testing
