// Conversion between rows and values: the SQLite statements that are generated from the lists of
// columns.h, and the values that are bound to them and read from their rows.
#pragma once

#include "core/change.h"
#include "storage/columns.h"
#include "storage/sqlite_handle.h"

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace millrace::storage {

// Binds the values of a row in the order of a list, from parameter after + 1 on.
template <typename Row>
class BindRow {
 public:
  BindRow(Statement& to, int after, const Row& row) : to_(to), last_(after), row_(row) {}
  template <typename Column, typename Member>
  void operator()(Column /*column*/, Member member) {
    const auto& value = row_.*member;
    ++last_;
    if constexpr (Column::as == As::number) {
      to_.bind(last_, static_cast<std::int64_t>(value));
    } else if constexpr (Column::as == As::number_or_null) {
      value == 0 ? to_.bind_null(last_) : to_.bind(last_, static_cast<std::int64_t>(value));
    } else if constexpr (Column::as == As::text) {
      to_.bind_text(last_, value);
    } else if constexpr (Column::as == As::bytes) {
      to_.bind_bytes(last_, value);
    } else {
      to_.bind_bytes_or_null(last_, value);
    }
  }
  [[nodiscard]] int last() const { return last_; }

 private:
  Statement& to_;
  int last_;
  const Row& row_;
};

// Reads the values of a row in the order of a list, from column next on. What each job has of its
// own, the payload, may be passed over.
template <typename Row>
class ReadRow {
 public:
  ReadRow(const Statement& from, int next, Row& row, bool with_payload = true)
      : from_(from), next_(next), row_(row), with_payload_(with_payload) {}
  template <typename Column, typename Member>
  void operator()(Column /*column*/, Member member) {
    auto& value = row_.*member;
    using Value = std::remove_reference_t<decltype(value)>;
    const int at = next_++;
    if constexpr (Column::as == As::number || Column::as == As::number_or_null) {
      value = static_cast<Value>(from_.number(at));
    } else {
      if (with_payload_ || Column::shared != Shared::each) value = from_.bytes(at);
    }
  }
  [[nodiscard]] int next() const { return next_; }

 private:
  const Statement& from_;
  int next_;
  Row& row_;
  bool with_payload_;
};

// What is selected for read_job: id, then the list of columns.h.
[[nodiscard]] std::string job_names();           // of jobs
[[nodiscard]] std::string finished_job_names();  // of finished, which has none for what waits
[[nodiscard]] std::string end_names();           // of finished: end_columns
// So many rows as VALUES of one statement.
[[nodiscard]] std::string insert_jobs_sql(std::size_t rows);
// Binds a row from parameter after + 1 on; the last parameter that it took.
int bind_job(Statement& put, int after, std::int64_t id, const core::Job& job);
[[nodiscard]] std::string update_job_sql();
void bind_update(Statement& put, std::int64_t id, const core::JobStatus& status);
// where and priority are known from the id by the caller's slot. Returns the next column.
int read_job(const Statement& row, core::PartitionRef where, bool with_payload, core::Job& job);
[[nodiscard]] core::Job read_job(const Statement& row, core::PartitionRef where, bool with_payload);

// Whether a new row is as most jobs are, available at once, without a key or headers, and has what
// the first of its neighbours has, which was compared with itself: they differ in number and
// payload.
[[nodiscard]] bool alike(const core::Job& head, const core::Job& job);
// So many such rows: what they share is bound once, from any of them, then each row; each returns
// the last parameter that it took.
[[nodiscard]] std::string insert_alike_jobs_sql(std::size_t rows);
int bind_alike_jobs(Statement& put, const core::Job& any);
int bind_alike_job(Statement& put, int after, std::int64_t id, const core::Job& job);

// A finished job takes what it came with from its row of jobs, or from a value that left a pack.
[[nodiscard]] std::string keep_job_sql();
[[nodiscard]] std::string keep_left_job_sql();
void bind_keep(Statement& keep, std::int64_t id, const core::JobFinish& finish,
               const core::Job* left);

[[nodiscard]] std::string encode_answers(const std::vector<core::BatchAnswer>& answers);
[[nodiscard]] std::vector<core::BatchAnswer> decode_answers(std::string_view bytes);

[[nodiscard]] std::string select_topics_sql();
[[nodiscard]] std::string put_topic_sql();
[[nodiscard]] core::Topic read_topic(const Statement& row);
void bind_topic(Statement& statement, const core::Topic& topic);

// slot, topic, partition, then the counts.
[[nodiscard]] std::string select_partitions_sql();
[[nodiscard]] std::string put_partition_sql();
[[nodiscard]] core::PartitionRow read_partition(const Statement& row);
void bind_partition(Statement& put, std::int64_t slot, const core::PartitionRow& row);

}  // namespace millrace::storage
