// Every delivery that has not been settled: found by its token or by its job, listed by session,
// and listed in order of delivery while its lease has no row. A delivery needs no allocation, and
// no loop ever iterates in hash order. A Lease does not move until it is taken out.
#pragma once

#include "core/job.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace millrace::core {

struct Session;

struct Lease {
  Job job;
  Token token = 0;
  Session* session = nullptr;
  std::int64_t since_mono_ms = 0;  // since when the job waited, to restore its place
  std::int64_t started_ms = 0, started_mono_ms = 0;
  std::uint64_t turn = 0;     // the turn that delivers it; 0: before this process
  bool written = false;       // the lease has a row
  bool payload_kept = false;  // else only the row has it
  std::optional<std::uint32_t> percent;
  std::string note;
};

class LeaseTable {
 public:
  // The leases of one session; kept by the session, changed by the table alone.
  struct Holder {
    std::uint32_t first = 0;  // place + 1; 0: none
    std::size_t count = 0;
  };

  [[nodiscard]] Lease* find(Token token);
  [[nodiscard]] Lease* find(const JobRef& ref);
  [[nodiscard]] const Lease* find(const JobRef& ref) const;
  [[nodiscard]] std::size_t size() const { return count_; }

  // Neither its token nor its job may be in the table.
  Lease& add(Lease&& lease, Holder& holder);
  [[nodiscard]] Lease take(Lease& lease, Holder& holder);

  // The leases of one session, the newest token first.
  [[nodiscard]] std::vector<Token> tokens_of(const Holder& holder) const;

  // The lease that has waited longest for its row, or null.
  [[nodiscard]] Lease* first_unwritten();
  void mark_written(Lease& lease);

 private:
  using Place = std::uint32_t;  // index + 1 of a slot; 0: none
  struct Slot {
    Lease lease;
    Place holder_prev = 0, holder_next = 0;
    Place unwritten_prev = 0, unwritten_next = 0;
  };
  // Open addressing over places, at most half full; the keys are in the slots.
  struct Index {
    std::vector<Place> cells;
    std::size_t count = 0;
  };

  [[nodiscard]] Slot& slot(Place place) { return slots_[place - 1]; }
  [[nodiscard]] const Slot& slot(Place place) const { return slots_[place - 1]; }
  template <typename Key>
  [[nodiscard]] Place look_up(const Index& index, const Key& key) const;
  template <typename Key>
  void insert(Index& index, const Key& key, Place place);
  template <typename Key>
  void remove(Index& index, const Key& key);
  template <typename Key>
  void grow(Index& index);
  void unlink_unwritten(Slot& from, Place place);

  std::deque<Slot> slots_;
  std::vector<Place> free_;
  Index by_token_, by_job_;
  std::size_t count_ = 0;
  Place unwritten_first_ = 0, unwritten_last_ = 0;
};

}  // namespace millrace::core
