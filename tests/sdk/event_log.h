// Events that handlers and callbacks of a test record, and a wait for them with a time limit.
// Threads: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

namespace millrace::testing {

class EventLog {
 public:
  // The count after this one.
  int add(const std::string& what) {
    const std::lock_guard lock(mutex_);
    const int now = ++counts_[what];
    changed_.notify_all();
    return now;
  }
  [[nodiscard]] int count(const std::string& what) const {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(what);
    return found == counts_.end() ? 0 : found->second;
  }
  // How many things have been added at least once.
  [[nodiscard]] std::size_t kinds() const {
    const std::lock_guard lock(mutex_);
    return counts_.size();
  }
  // False after a minute: what was awaited does not come.
  template <typename Is>
  [[nodiscard]] bool wait(Is is) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return is(counts_); });
  }
  [[nodiscard]] bool wait_for(const std::string& what, int times) const {
    return wait([&](const auto& counts) {
      const auto found = counts.find(what);
      return found != counts.end() && found->second >= times;
    });
  }
  [[nodiscard]] bool wait_for_kinds(std::size_t kinds) const {
    return wait([kinds](const auto& counts) { return counts.size() >= kinds; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, int> counts_;
};

}  // namespace millrace::testing
