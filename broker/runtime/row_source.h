// Questions about rows and their answers, and who answers them: a thread in the broker
// (reader_thread.h), anything in a test.
#pragma once

#include "net/dispatcher.h"
#include "storage/store.h"

#include <optional>
#include <string>
#include <vector>

namespace millrace::runtime {

struct RowQuestion {
  net::Asked asked;
  wire::Verb verb = wire::Verb::job;
  core::JobRef ref;            // JOB, EXPLAIN, WAIT
  std::string job;             // as it was asked for
  storage::ListFilter filter;  // JOBS
  bool final_only = false;     // WAIT: answered only if the job has ended
};
struct RowAnswer {
  RowQuestion question;
  storage::Expected<std::optional<storage::JobRow>> row;
  storage::Expected<std::vector<storage::JobRow>> rows;
};

// Reads what the question asks for.
[[nodiscard]] RowAnswer answer_from(storage::Reader& reader, RowQuestion question);

class RowSource {
 public:
  RowSource() = default;
  virtual ~RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;

  [[nodiscard]] virtual bool ask(RowQuestion question) = 0;  // false: too many wait already
  [[nodiscard]] virtual std::vector<RowAnswer> take_answers() = 0;
  // Of the full check of the file: running, ok, or the damage.
  [[nodiscard]] virtual std::string verdict() const = 0;
};

}  // namespace millrace::runtime
