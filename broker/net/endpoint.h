// One shard's ROUTER socket: whole messages in, whole messages out, never blocking. A peer that
// cannot be reached or does not read loses the message: the protocol resends (docs/protocol.md).
// Threads: belongs to the shard's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::net {

struct Incoming {
  std::string peer;  // routing id
  std::string_view header, body;
  std::shared_ptr<const void> owner;  // keeps header and body alive
  bool two_parts = false;             // else it was of another shape, and its parts were dropped
};

// The process at the other end of an ipc connection, as the kernel tells; 0 where it does not.
[[nodiscard]] std::uint64_t peer_pid(const Incoming& message);

// Its connection has said HELLO, so that the gate leaves it be.
void greeted(const Incoming& hello);

class Endpoint {
 public:
  Endpoint();
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Empty when well, else a sentence.
  [[nodiscard]] std::string bind(const std::string& address);
  [[nodiscard]] int fd() const;  // edge-triggered: see readable()
  [[nodiscard]] bool readable() const;
  [[nodiscard]] bool receive(Incoming& message);  // false: nothing is waiting
  // False: the peer is gone, or does not read.
  bool send(const std::string& peer, std::string_view header, std::string_view body);

 private:
  struct Sockets;
  std::unique_ptr<Sockets> sockets_;
};

}  // namespace millrace::net
