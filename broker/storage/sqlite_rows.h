// Rows to values and back: what each column means, in one place.
#pragma once

#include "core/change.h"
#include "storage/sqlite_handle.h"

#include <string>
#include <string_view>

namespace millrace::storage {

// The columns of jobs that a new one has a value for, payload beside.
inline constexpr std::string_view new_job_columns =
    "id, state, attempt, attempts_max, deaths, enqueued_ms, due_ms, key, headers, error";
// The columns of jobs in the order that read_job takes them; payload last, or left out.
inline constexpr std::string_view job_columns =
    "id, state, attempt, attempts_max, deaths, enqueued_ms, due_ms, key, headers, error, "
    "ended_token, died_ms";
inline constexpr int job_column_payload = 12, new_job_columns_count = 11;

// Binds a new row of jobs, its columns and the payload, from parameter after + 1 on.
void bind_new_job(Statement& put, int after, std::int64_t id, const core::Job& job);
// So many rows as VALUES of one statement.
[[nodiscard]] std::string insert_jobs_sql(std::size_t rows);

// Whether two new rows differ at most in number and payload, and are as most jobs are: available at
// once, without a key or headers.
[[nodiscard]] bool alike(const core::Job& a, const core::Job& b);
// So many such rows: what they share is bound once, from any of them, then each row from 0 on.
[[nodiscard]] std::string insert_alike_jobs_sql(std::size_t rows);
void bind_alike_jobs(Statement& put, const core::Job& any);
void bind_alike_job(Statement& put, int row, std::int64_t id, const core::Job& job);

// where and priority are known from the id by the caller's slot.
[[nodiscard]] core::Job read_job(const Statement& row, core::PartitionRef where, bool with_payload);

[[nodiscard]] std::string pack_answers(const std::vector<core::BatchAnswer>& answers);
[[nodiscard]] std::vector<core::BatchAnswer> unpack_answers(std::string_view bytes);

[[nodiscard]] core::Topic read_topic(const Statement& row);
inline constexpr std::string_view topic_columns =
    "id, name, paused, partitions, attempts_max, backoff_ms_min, backoff_ms_max, run_ms_max, "
    "history, history_ms, dead_ms, dead_max";
void bind_topic(Statement& statement, const core::Topic& topic);

}  // namespace millrace::storage
