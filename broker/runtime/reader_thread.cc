#include "runtime/reader_thread.h"

#include <spdlog/spdlog.h>
#include <utility>

namespace millrace::runtime {
namespace {

constexpr std::size_t questions_max = 1'024;

}  // namespace

ReaderThread::ReaderThread(std::unique_ptr<storage::Reader> rows,
                           std::unique_ptr<storage::Reader> check, std::function<void()> wake)
    : rows_(std::move(rows)),
      check_(std::move(check)),
      wake_(std::move(wake)),
      reading_([this] { read(); }),
      checking_([this] { check_all(); }) {}

ReaderThread::~ReaderThread() {
  stop_check_ = true;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  asked_.notify_all();
  reading_.join();
  checking_.join();
}

bool ReaderThread::ask(RowQuestion question) {
  const std::lock_guard lock(mutex_);
  if (questions_.size() >= questions_max) return false;
  questions_.push_back(std::move(question));
  asked_.notify_one();
  return true;
}

std::vector<RowAnswer> ReaderThread::take_answers() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

std::string ReaderThread::verdict() const {
  const std::lock_guard lock(mutex_);
  return verdict_;
}

void ReaderThread::read() {
  for (;;) {
    RowQuestion question;
    {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
      if (stopping_) return;
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    auto rows = question.read(*rows_);
    {
      const std::lock_guard lock(mutex_);
      answers_.push_back({std::move(question), std::move(rows)});
    }
    wake_();
  }
}

void ReaderThread::check_all() {
  const auto checked = check_->check([this] { return stop_check_.load(); });
  const std::string verdict = checked ? *checked : checked.error().message;
  if (verdict != "ok" && verdict != "interrupted") {
    spdlog::error(
        "the integrity check of a database file found damage: {}. Stop the broker, keep a copy of "
        "its files and restore the latest backup",
        verdict);
  }
  const std::lock_guard lock(mutex_);
  verdict_ = verdict;
}

}  // namespace millrace::runtime
