// Who reads rows for questions: a thread in the broker (reader_thread.h), anything in a test.
#pragma once

#include "runtime/row_questions.h"

#include <string>
#include <vector>

namespace millrace::runtime {

struct RowAnswer {
  RowQuestion question;
  storage::Expected<RowsRead> rows;
};

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
