#include "row_source.h"

#include <utility>

namespace millrace::testing {
namespace {

constexpr std::size_t questions_max = 4;

}  // namespace

bool RowAnswers::ask(runtime::RowQuestion question) {
  if (questions_.size() >= questions_max) return false;
  questions_.push_back(std::move(question));
  return true;
}

std::vector<runtime::RowAnswer> RowAnswers::take_answers() {
  std::vector<runtime::RowAnswer> answers;
  for (auto& question : std::exchange(questions_, {})) {
    if (!reader_) {
      auto opened = store_.reader();
      if (!opened) {
        answers.push_back({std::move(question), tl::unexpected(opened.error())});
        continue;
      }
      reader_ = std::move(*opened);
    }
    auto rows = question.read(*reader_);
    answers.push_back({std::move(question), std::move(rows)});
  }
  return answers;
}

}  // namespace millrace::testing
