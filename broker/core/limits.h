// Every bound and default of the scheduler, in one place. Protocol bounds: sdk/wire/limits.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::core {

inline constexpr int priorities = 10;  // 0 is first
inline constexpr int priority_default = 5;
// A job gains one priority for each of these it has waited, so that nothing starves.
inline constexpr std::int64_t ageing_step_ms = 10'000;

inline constexpr std::uint32_t partitions_max = 256;  // of a topic
inline constexpr std::uint32_t partitions_default = 8;
inline constexpr std::uint32_t topics_max = 65'536;  // of a shard
inline constexpr std::uint32_t attempts_default = 25;
inline constexpr std::uint32_t deaths_max = 3;  // then the job is quarantined
// A death counts towards that if it is this long after the last death that counted: a machine that
// kills many workers within a minute counts once.
inline constexpr std::int64_t deaths_apart_ms_default = 60'000;
// The minimum wait of a job after a death, if its topic's backoff is shorter.
inline constexpr std::int64_t death_wait_ms_min_default = 1'000;

inline constexpr std::int64_t backoff_ms_cap = 24LL * 3'600'000;
inline constexpr std::int64_t history_ms_default = 24LL * 3'600'000;
inline constexpr std::int64_t dead_ms_default = 180LL * 24 * 3'600'000;
inline constexpr std::uint64_t dead_max_default = 10'000;

// How far ahead a job may be scheduled: ten years.
inline constexpr std::int64_t delay_ms_max = 10LL * 366 * 24 * 3'600'000;

inline constexpr std::int64_t lease_ms_default = 30'000;
inline constexpr std::int64_t heartbeat_ms_default = 10'000;
// From the end of a worker's connection to its HELLO on another one.
inline constexpr std::int64_t reconnect_ms_default = 3'000;
inline constexpr std::int64_t lease_tick_ms = 250;
inline constexpr std::int64_t grace_ms_max = 5'000;

inline constexpr std::size_t sessions_max = 16'384;   // worker sessions of a shard
inline constexpr std::uint64_t credit_max = 8'192;    // of a session
inline constexpr std::size_t producers_max = 10'000;  // remembered for resends
inline constexpr std::size_t answers_max = 64;        // remembered of a producer

// Requests that changed something are stored with their answers, so that a copy gets the first
// answer and is not executed again. Clients do not resend a request that is older than the minimum.
inline constexpr std::size_t requests_max = 65'536;  // of a shard
inline constexpr std::int64_t request_kept_ms = 600'000;
inline constexpr std::int64_t request_kept_ms_min = 60'000;  // if there are more than requests_max
inline constexpr std::size_t requests_dropped_max = 256;     // by one commit

// The ready window: the part of the backlog in memory, in jobs and in payload bytes.
inline constexpr std::size_t window_jobs_max = 200'000;     // of a shard
inline constexpr std::size_t window_bytes_max = 64U << 20;  // of a shard
inline constexpr std::size_t lane_jobs_max = 16'384;        // of a partition and priority
inline constexpr std::size_t page_jobs_max = 512;           // loaded from storage at once
inline constexpr std::size_t page_bytes_max = 4U << 20;
inline constexpr std::size_t loads_per_step_max = 64;

inline constexpr std::size_t delivery_jobs_max = 256;  // in one message to a worker
inline constexpr std::size_t delivery_bytes_max = 4U << 20;
inline constexpr std::size_t dead_batch_max = 1'024;  // requeued or purged by one command
inline constexpr std::size_t expired_batch_max = 256;
inline constexpr std::size_t parked_max = 4'096;  // commands that wait for a row from storage

inline constexpr std::int64_t upkeep_ms = 60'000;  // between searches for rows past their retention
inline constexpr std::size_t note_bytes_max = 256;
inline constexpr std::size_t error_bytes_max = 4'096;

}  // namespace millrace::core
