// Questions about rows, answered by a read-only connection in a thread of its own, so that no
// question of people makes the writer wait. The full check of the file runs in a second one.
// Threads: ask() and take_answers() on the shard's thread; wake is called from the reader's.
#pragma once

#include "runtime/row_source.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace millrace::runtime {

class ReaderThread : public RowSource {
 public:
  ReaderThread(std::unique_ptr<storage::Reader> rows, std::unique_ptr<storage::Reader> check,
               std::function<void()> wake);
  ~ReaderThread() override;

  [[nodiscard]] bool ask(RowQuestion question) override;
  [[nodiscard]] std::vector<RowAnswer> take_answers() override;
  [[nodiscard]] std::string verdict() const override;

 private:
  void read();
  void check_all();

  std::unique_ptr<storage::Reader> rows_, check_;
  std::function<void()> wake_;
  mutable std::mutex mutex_;  // guards the four below
  std::condition_variable asked_;
  std::deque<RowQuestion> questions_;
  std::vector<RowAnswer> answers_;
  std::string verdict_ = "running";
  bool stopping_ = false;
  std::atomic<bool> stop_check_{false};
  std::thread reading_, checking_;
};

}  // namespace millrace::runtime
