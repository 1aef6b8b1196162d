// Which workers' connections were closed at the other end.
#include "runtime/connection_monitor.h"

namespace millrace::runtime {

void ConnectionMonitor::watch(const core::SessionId& session, const net::Incoming& hello) {
  forget(session);
  // 0: closed already, before its HELLO was read. Who closed it is unknown, so the lease decides.
  const std::uint64_t cookie = net::watch_closing(hello, closings_);
  if (cookie == 0) return;
  const auto [at, is_new] = sessions_.try_emplace(cookie, session);
  if (!is_new) cookies_.erase(at->second);  // a peer that says HELLO as one session after another
  at->second = session;
  cookies_[session] = cookie;
}

void ConnectionMonitor::forget(const core::SessionId& session) {
  const auto found = cookies_.find(session);
  if (found == cookies_.end()) return;
  sessions_.erase(found->second);
  cookies_.erase(found);
}

std::vector<core::SessionId> ConnectionMonitor::closed() {
  std::vector<core::SessionId> all;
  for (const std::uint64_t cookie : net::PeerClosings::instance().take(closings_)) {
    const auto found = sessions_.find(cookie);
    if (found == sessions_.end()) continue;  // the session has a newer connection, or has ended
    all.push_back(found->second);
    cookies_.erase(found->second);
    sessions_.erase(found);
  }
  return all;
}

}  // namespace millrace::runtime
