// Workers whose connection was closed at the other end, and how long each is still waited for.
#include "runtime/reconnect_waits.h"

#include "core/limits.h"

namespace millrace::runtime {

ReconnectWaits::ReconnectWaits(std::int64_t reconnect_ms) : reconnect_ms_(reconnect_ms) {}

void ReconnectWaits::closed(const core::SessionId& session) {
  if (reconnect_ms_ == 0) return;
  // Rounded up, and one for the tick in which it is reported.
  ticks_left_[session] = (reconnect_ms_ + core::lease_tick_ms - 1) / core::lease_tick_ms + 1;
}

std::vector<core::SessionId> ReconnectWaits::tick() {
  std::vector<core::SessionId> gone;
  for (auto at = ticks_left_.begin(); at != ticks_left_.end();) {
    if (--at->second > 0) {
      ++at;
      continue;
    }
    gone.push_back(at->first);
    at = ticks_left_.erase(at);
  }
  return gone;
}

std::string ReconnectWaits::how() const {
  const bool seconds = reconnect_ms_ % 1'000 == 0;
  return "is gone: its connection closed and it did not come back within " +
         (seconds ? std::to_string(reconnect_ms_ / 1'000) + " s"
                  : std::to_string(reconnect_ms_) + " ms");
}

}  // namespace millrace::runtime
