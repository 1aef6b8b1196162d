// One shard's ROUTER socket: whole messages in, whole messages out, never blocking. A message to a
// peer that cannot be reached or does not read is dropped: the protocol resends (docs/protocol.md).
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
  bool two_parts = false;             // else it had another number of parts, which were dropped
};

// The pid at the other end of an ipc connection, from the kernel; 0 if unknown.
[[nodiscard]] std::uint64_t peer_pid(const Incoming& message);

// Its connection has said HELLO, so that the connection limiter does not close it.
void greeted(const Incoming& hello);

class Endpoint {
 public:
  Endpoint();
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Empty on success, else an error sentence.
  [[nodiscard]] std::string bind(const std::string& address);
  [[nodiscard]] int fd() const;  // edge-triggered: see readable()
  [[nodiscard]] bool readable() const;
  [[nodiscard]] bool receive(Incoming& message);  // false: nothing is waiting
  // False: the peer is disconnected, or does not read.
  bool send(const std::string& peer, std::string_view header, std::string_view body);

 private:
  struct Sockets;
  std::unique_ptr<Sockets> sockets_;
};

}  // namespace millrace::net
