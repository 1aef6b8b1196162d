// Monitors worker processes of this machine by pidfd: a death is noticed at the next tick instead
// of after a lease. Threads: the shard's.
#pragma once

#include "core/job.h"

#include <cstdint>
#include <map>
#include <vector>

namespace millrace::runtime {

class ProcessMonitor {
 public:
  ProcessMonitor();
  ~ProcessMonitor();
  ProcessMonitor(const ProcessMonitor&) = delete;
  ProcessMonitor& operator=(const ProcessMonitor&) = delete;

  // False: the kernel or the bound refuses.
  bool watch(const core::SessionId& session, std::uint64_t pid);
  void forget(const core::SessionId& session);
  // Sessions whose process has ended since the last call.
  [[nodiscard]] std::vector<core::SessionId> ended();

 private:
  int epoll_ = -1;
  std::map<int, core::SessionId> sessions_;  // by pidfd
};

}  // namespace millrace::runtime
