// The plan that a seed determines before anything runs: the world's size and settings, and its
// faults. A fault is a value with a time, so that a run can be repeated without it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::testing {

enum class FaultKind : std::uint8_t {
  // The network, for a while
  drop,
  duplicate,
  reorder,
  delay,
  no_route,  // the broker cannot reach a client
  // The network, once
  reset,  // a connection breaks; a: client, b: the broker does not notice
  // The broker; b: 0 the system lives, 1 the power goes
  broker_pause,
  broker_kill,
  crash_at_send,   // a: messages that still leave: between the commit and the replies
  crash_at_disk,   // a: operations that the disk still does: inside a commit or a write-back
  crash_in_start,  // the same, in the recovery after a kill
  // The disk
  disk_error,  // a: after so many operations, b: DiskFault
  disk_full,
  // Clocks
  wall_jump,  // a: index into wall_jumps_ms
  // Clients; a: which
  worker_pause,  // for longer than its lease, or not
  worker_kill,   // b: the supervisor sees it
  worker_leave,
  worker_slow,
  producer_kill,
  producer_pause,
  lie,  // a malicious client is active for a while
};
inline constexpr std::size_t fault_kinds = static_cast<std::size_t>(FaultKind::lie) + 1;
inline constexpr std::size_t faults_min = 5, faults_max = 9;
[[nodiscard]] std::string_view to_string(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::drop;
  std::int64_t at_ms = 0, for_ms = 0;  // 0: at one moment
  std::uint64_t a = 0, b = 0;
};
[[nodiscard]] std::string describe(const Fault& fault);

struct Plan {
  std::uint64_t seed = 0;
  std::uint32_t partitions = 1, attempts_max = 3;
  bool history = true;
  std::size_t producers = 1, workers = 1, jobs = 20, batch_max = 3;
  std::uint64_t credit = 2;
  std::int64_t lease_ms = 1'000, grace_ms = 400, backoff_ms = 50, work_ms = 20, jobs_until_ms = 0;
  std::uint64_t retry_percent = 0, crash_percent = 0, cancel_percent = 0, due_percent = 0;
  std::uint64_t key_percent = 0, priorities = 1;
  std::uint64_t ask_percent = 0;  // in a step; 0: nobody looks at jobs
  std::int64_t wal_bytes_max = 1 << 20;
  bool late_store = false;    // storage answers late, reordered, and sometimes never
  bool small_window = false;  // the backlog is larger than what the engine holds of it
  std::vector<Fault> faults;

  [[nodiscard]] bool has(FaultKind kind) const;
};

inline constexpr std::int64_t faults_until_ms = 4'000;
inline constexpr std::int64_t hour_ms = 3'600'000, ten_years_ms = 3'652 * 24 * hour_ms;
inline constexpr std::int64_t wall_jumps_ms[] = {hour_ms, -hour_ms, ten_years_ms, -ten_years_ms};

[[nodiscard]] Plan make_plan(std::uint64_t seed);

}  // namespace millrace::testing
