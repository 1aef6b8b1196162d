// One partition in memory: ten lanes of ready jobs (one for each priority), the count of running
// jobs, and how far the backlog on disk has been read. It does not use sessions or effects.
//
// The window. A lane holds the front of its backlog; the rows behind it stay on disk.
//   cursor_seq   every row of the lane up to this number is in memory, running, or gone
//   backlog      there may be rows beyond the cursor
// Rows with a due time are not in the order of the lanes: they are read in order of DuePlace, and
// due_cursor is the same kind of mark for them.
#pragma once

#include "core/job.h"
#include "core/load.h"
#include "core/ring.h"

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace millrace::core {

// Loads of a partition are numbered in the order of their requests.
using LoadNumber = std::uint64_t;

struct ReadyJob {
  Job job;
  std::int64_t since_mono_ms = 0;  // since when it is available; may be before this process
};

struct Lane {
  Ring<ReadyJob> jobs;
  std::uint64_t cursor_seq = 0;
  std::uint64_t spilled_seq = 0;        // highest seq that is only on disk
  std::uint64_t asked_spilled_seq = 0;  // the same when the load in flight was requested
  bool backlog = false;
  bool loading = false;
  LoadNumber load = 0;  // the one in flight
};

inline constexpr std::int64_t due_unknown = 0;  // ask storage
inline constexpr std::int64_t due_none = std::numeric_limits<std::int64_t>::max();

class Partition {
 public:
  Partition(PartitionRef at, PartitionCounts kept);

  // Rows.
  [[nodiscard]] static bool has_due(const Job& job) { return job.due_ms != 0; }
  [[nodiscard]] static DuePlace place_of(const Job& job) {
    return {job.due_ms, job.priority, job.ref.seq};
  }
  // Whether a row is beyond the cursor, so that a later load will read it.
  [[nodiscard]] bool beyond_cursor(const Job& job) const;
  // A row was written with a due time: makes sure that a load will find it.
  void note_due_row(const Job& job);
  // The state in the row of a live job changed.
  void row_state_changed(State from, State to);

  // Memory. enter/leave count the rows whose stored state says that they wait although they are in
  // memory.
  void push_back(Job&& job, std::int64_t since_mono_ms);
  void push_front(Job&& job, std::int64_t since_mono_ms);
  [[nodiscard]] std::optional<ReadyJob> take_best();
  [[nodiscard]] std::optional<ReadyJob> take(std::uint64_t seq);
  [[nodiscard]] bool in_lanes(const Job& job) const;            // rows with a due time only
  [[nodiscard]] const Job* ready_job(std::uint64_t seq) const;  // null: not in memory
  [[nodiscard]] bool holds_ready(std::uint64_t seq) const { return ready_job(seq) != nullptr; }
  void enter_running(const Job& job);
  void leave_running(const Job& job);

  [[nodiscard]] std::size_t ready() const { return ready_; }
  [[nodiscard]] std::size_t running() const { return running_; }
  [[nodiscard]] std::optional<std::int64_t> oldest_since_ms() const;
  [[nodiscard]] std::uint64_t waiting(
      State state) const;  // scheduled or retryable, as in the views
  [[nodiscard]] std::uint64_t available() const;
  [[nodiscard]] bool wants_load(std::int64_t now_wall_ms, std::size_t page_jobs) const;

  // A row changed or ended while loads are in flight: their results may be older than the state
  // here, or newer, so their values for that row are ignored.
  void note_changed(std::uint64_t seq);
  [[nodiscard]] bool changed_since(std::uint64_t seq, LoadNumber load) const;
  [[nodiscard]] LoadNumber load_asked();
  void load_answered(LoadNumber load);

  const PartitionRef where;
  PartitionCounts counts;
  std::array<Lane, priorities> lanes;
  DuePlace due_cursor;
  std::int64_t due_next_ms = due_none;
  bool due_loading = false;
  LoadNumber due_load = 0;            // the one in flight
  std::optional<DuePlace> noted_due;  // first row written while it is
  bool touched = false;               // its counts go into the next commit

 private:
  void enter(const Job& job);
  void leave(const Job& job);
  // Keeps filled_ after a lane gained or lost a job.
  void note_filled(const Lane& lane) {
    const auto bit = static_cast<std::uint16_t>(1U << static_cast<unsigned>(&lane - lanes.data()));
    filled_ = static_cast<std::uint16_t>(lane.jobs.empty() ? filled_ & ~bit : filled_ | bit);
  }

  std::uint16_t filled_ = 0;  // a bit a lane that has jobs
  std::size_t ready_ = 0, running_ = 0;
  std::uint64_t here_scheduled_ = 0, here_retryable_ = 0;
  std::set<std::uint64_t> due_in_lanes_;
  LoadNumber loads_asked_ = 0;
  std::set<LoadNumber> loads_in_flight_;
  std::map<std::uint64_t, LoadNumber> changed_;  // the last load asked before each change of a row
  std::deque<std::pair<LoadNumber, std::uint64_t>> changes_;  // the same in order, with repeats
};

}  // namespace millrace::core
