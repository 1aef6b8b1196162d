// Which workers' connections were closed at the other end. It is for workers whose process the
// process monitor cannot see: those of another machine, or of another container.
// Threads: the shard's.
#pragma once

#include "core/job.h"
#include "net/endpoint.h"
#include "net/peer_closings.h"

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace millrace::runtime {

class ConnectionMonitor {
 public:
  // The connection of this HELLO is the session's from here on: an earlier one does not count.
  void watch(const core::SessionId& session, const net::Incoming& hello);
  void forget(const core::SessionId& session);
  // Sessions whose connection was closed at the other end since the last call.
  [[nodiscard]] std::vector<core::SessionId> closed();

 private:
  std::shared_ptr<net::PeerClosings::Cookies> closings_ =
      std::make_shared<net::PeerClosings::Cookies>();
  std::map<std::uint64_t, core::SessionId> sessions_;  // by cookie of the connection
  std::map<core::SessionId, std::uint64_t> cookies_;   // the same, the other way
};

}  // namespace millrace::runtime
