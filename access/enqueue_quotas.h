// How many jobs a key may enqueue in a second, at one shard or one gateway (Quota). A batch is
// taken while the key has anything left, and what it takes too much is paid by the time after it,
// so a batch of any size passes and the mean is the quota. Threads: one.
#pragma once

#include "access/key.h"

#include <cstdint>
#include <map>
#include <string>

namespace millrace::access {

class EnqueueQuotas {
 public:
  // 0: the jobs are within the quota, and were counted; else after how long to try again.
  [[nodiscard]] std::int64_t take(const Key& key, std::size_t jobs, std::int64_t now_mono_ms);

 private:
  struct Account {
    double left = 0;  // jobs; below 0: owed
    std::int64_t at_mono_ms = 0;
  };
  std::map<std::string, Account, std::less<>> accounts_;  // by the names of keys that have a quota
};

}  // namespace millrace::access
