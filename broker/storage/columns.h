// The columns of the tables of jobs, topics and partitions, each defined once: the statements that
// write and read them, and the bound and read values, are generated from these lists. It depends on
// no database, so that every store can use it. A list is a call of f for each column with the
// member that has its value; keys (RowRef, PartitionRef) are each store's own.
//
//   a live job        outcome_columns  waiting_columns  given_columns
//   an update of one  outcome_columns  waiting_columns
//   a finished job    outcome_columns  end_columns      given_columns
#pragma once

#include "core/change.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::storage {

enum class As : std::uint8_t {
  number,          // enumerations and flags too
  number_or_null,  // 0 is NULL
  text,            // empty is NULL
  bytes,           // never NULL
  bytes_or_null,   // empty is NULL
};
// How the value of a column is stored when similar jobs share a row.
enum class Shared : std::uint8_t {
  never,  // a job with any other than the default has a row of its own
  once,   // one for all
  each,   // every job has its own
};

template <As as_, Shared shared_ = Shared::never>
struct Column {
  static constexpr As as = as_;
  static constexpr Shared shared = shared_;
  std::string_view name;
};

// Columns that every run may change, the last one too.
template <typename Row, typename F>
void outcome_columns(F&& f) {
  f(Column<As::number>{"state"}, &Row::state);
  f(Column<As::number>{"attempt"}, &Row::attempt);
  f(Column<As::number>{"deaths"}, &Row::deaths);
  f(Column<As::text>{"error"}, &Row::error);
}
// Columns of a live job that waits, and the state for its next run.
template <typename Row, typename F>
void waiting_columns(F&& f) {
  f(Column<As::number_or_null>{"due_ms"}, &Row::due_ms);
  f(Column<As::number_or_null>{"ended_token"}, &Row::ended_token);
  f(Column<As::number_or_null>{"died_ms"}, &Row::died_ms);
}
// The options of a job at enqueue. The payload is the last column: the columns before it are read
// without it.
template <typename Row, typename F>
void given_columns(F&& f) {
  f(Column<As::number, Shared::once>{"attempts_max"}, &Row::attempts_max);
  f(Column<As::number, Shared::once>{"enqueued_ms"}, &Row::enqueued_ms);
  f(Column<As::text>{"key"}, &Row::key);
  f(Column<As::bytes_or_null>{"headers"}, &Row::headers);
  f(Column<As::bytes, Shared::each>{"payload"}, &Row::payload);
}
// How a job ended.
template <typename Row, typename F>
void end_columns(F&& f) {
  f(Column<As::number>{"reason"}, &Row::reason);
  f(Column<As::number_or_null>{"started_ms"}, &Row::started_ms);
  f(Column<As::number>{"finished_ms"}, &Row::finished_ms);
  f(Column<As::text>{"worker"}, &Row::worker);
  f(Column<As::bytes_or_null>{"result"}, &Row::result);
}

template <typename F>
void job_columns(F&& f) {
  outcome_columns<core::Job>(f);
  waiting_columns<core::Job>(f);
  given_columns<core::Job>(f);
}

template <typename F>
void topic_columns(F&& f) {
  f(Column<As::number>{"id"}, &core::Topic::id);
  f(Column<As::text>{"name"}, &core::Topic::name);
  f(Column<As::number>{"paused"}, &core::Topic::paused);
}
template <typename F>
void setting_columns(F&& f) {
  f(Column<As::number>{"partitions"}, &core::TopicSettings::partitions);
  f(Column<As::number>{"attempts_max"}, &core::TopicSettings::attempts_max);
  f(Column<As::number>{"backoff_ms_min"}, &core::TopicSettings::backoff_ms_min);
  f(Column<As::number>{"backoff_ms_max"}, &core::TopicSettings::backoff_ms_max);
  f(Column<As::number>{"run_ms_max"}, &core::TopicSettings::run_ms_max);
  f(Column<As::number>{"history"}, &core::TopicSettings::history);
  f(Column<As::number>{"history_ms"}, &core::TopicSettings::history_ms);
  f(Column<As::number>{"dead_ms"}, &core::TopicSettings::dead_ms);
  f(Column<As::number>{"dead_max"}, &core::TopicSettings::dead_max);
}
template <typename F>
void count_columns(F&& f) {
  f(Column<As::number>{"next_seq"}, &core::PartitionCounts::next_seq);
  f(Column<As::number>{"live"}, &core::PartitionCounts::live);
  f(Column<As::number>{"scheduled"}, &core::PartitionCounts::scheduled);
  f(Column<As::number>{"retryable"}, &core::PartitionCounts::retryable);
  f(Column<As::number>{"dead"}, &core::PartitionCounts::dead);
  f(Column<As::number>{"enqueued"}, &core::PartitionCounts::enqueued);
  f(Column<As::number>{"completed"}, &core::PartitionCounts::completed);
  f(Column<As::number>{"cancelled"}, &core::PartitionCounts::cancelled);
  f(Column<As::number>{"retried"}, &core::PartitionCounts::retried);
  f(Column<As::number>{"died"}, &core::PartitionCounts::died);
}

// Only columns with this kind of sharing.
template <Shared shared, typename F>
void job_columns_shared(F&& f) {
  job_columns([&f](auto column, auto member) {
    if constexpr (decltype(column)::shared == shared) f(column, member);
  });
}

}  // namespace millrace::storage
