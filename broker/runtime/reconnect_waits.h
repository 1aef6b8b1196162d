// Workers whose connection was closed at the other end, and how long each is still waited for. The
// wait is counted in lease ticks, of which each is followed by a turn that reads messages: after
// the broker itself stood still, the HELLO of a worker that has long been back is read first.
// Pure. Threads: the shard's.
#pragma once

#include "core/job.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace::runtime {

class ReconnectWaits {
 public:
  // 0: nobody is waited for, and closings mean nothing.
  explicit ReconnectWaits(std::int64_t reconnect_ms);

  void closed(const core::SessionId& session);
  // It said HELLO again, or its session has ended.
  void forget(const core::SessionId& session) { ticks_left_.erase(session); }
  // A lease tick has passed; the sessions that did not come back.
  [[nodiscard]] std::vector<core::SessionId> tick();
  // What happened to them, after the word "worker" and a name.
  [[nodiscard]] std::string how() const;

 private:
  std::int64_t reconnect_ms_;
  std::map<core::SessionId, std::int64_t> ticks_left_;
};

}  // namespace millrace::runtime
