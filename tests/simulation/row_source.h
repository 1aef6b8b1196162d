// Answers queries for rows in a simulated broker: the store's reader, a while after they were
// asked, as the reader thread does in a real one. It is opened with the first query.
#pragma once

#include "runtime/row_source.h"

#include <memory>
#include <vector>

namespace millrace::testing {

class RowAnswers : public runtime::RowSource {
 public:
  explicit RowAnswers(const storage::Store& store) : store_(store) {}

  bool ask(runtime::RowQuestion question) override;
  std::vector<runtime::RowAnswer> take_answers() override;
  [[nodiscard]] std::string verdict() const override { return "ok"; }
  [[nodiscard]] bool waiting() const { return !questions_.empty(); }

 private:
  const storage::Store& store_;
  std::unique_ptr<storage::Reader> reader_;
  std::vector<runtime::RowQuestion> questions_;
};

}  // namespace millrace::testing
