// Questions about rows, answered by a read-only connection in a thread of its own, so that no
// question of people makes the writer wait. The full check of the file runs in a second one.
// Threads: ask() and take_answers() on the shard's thread; wake is called from the reader's.
#pragma once

#include "net/dispatcher.h"
#include "storage/store.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
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

class ReaderThread {
 public:
  ReaderThread(std::unique_ptr<storage::Reader> rows, std::unique_ptr<storage::Reader> check,
               std::function<void()> wake);
  ~ReaderThread();
  ReaderThread(const ReaderThread&) = delete;
  ReaderThread& operator=(const ReaderThread&) = delete;

  [[nodiscard]] bool ask(RowQuestion question);  // false: too many wait already
  [[nodiscard]] std::vector<RowAnswer> take_answers();
  [[nodiscard]] std::string verdict() const;  // of the full check: running, ok, or the damage

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
