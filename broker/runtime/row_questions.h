// The verbs that are answered from stored rows: JOB, JOBS, EXPLAIN, WAIT. Each has one place for
// how its body is read, what is read from storage, and how the answer is made of the rows. Threads:
// row_question() and the body function on the shard's thread, the read function on the reader's.
#pragma once

#include "core/engine.h"
#include "net/dispatcher.h"
#include "storage/store.h"

#include <millrace/result.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace millrace::runtime {

// Makes the body of the answer: the rows that were read, with the state of now laid over them.
using RowAnswerBody = std::function<Result<std::string>(const core::Engine&, core::Now)>;
struct RowsRead {
  RowAnswerBody body;
  bool ended = false;  // of a job: its row is of its end, or there is none
};

struct RowQuestion {
  net::Asked asked;
  std::function<storage::Expected<RowsRead>(storage::Reader&)> read;
  // WAIT alone: the job whose end is waited for, and how long.
  core::JobRef job;
  std::int64_t wait_ms = 0;
  bool final_only = false;  // answered only if the job has ended
};

// An error for a body that is invalid, and for names that this shard does not know. Only for verbs
// of the kind row_question. key: rows that it has no access to are left out; null: it sees all.
[[nodiscard]] Result<RowQuestion> row_question(const net::Asked& asked, std::string_view body,
                                               const core::Engine& engine, core::Now now,
                                               const access::Key* key);

// A job with its payload, as JOB and WAIT show it.
[[nodiscard]] std::string job_body(const storage::JobRow& row, const core::Engine& engine,
                                   core::Now now);

}  // namespace millrace::runtime
