// One shard's ROUTER socket: whole messages in, whole messages out, never blocking. A message to a
// peer that cannot be reached or does not read is dropped: the protocol resends (docs/protocol.md).
// Threads: belongs to the shard's thread.
#pragma once

#include "net/curve.h"

#include <array>
#include "net/peer_closings.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::net {

struct Incoming {
  std::string peer;  // routing id
  std::string_view header, body;
  std::string_view public_key;        // of its sender, proven by CURVE; empty: a connection that
                                      // needs no key
  std::string_view address;           // of the machine that it came from
  std::shared_ptr<const void> owner;  // keeps the views alive
  bool two_parts = false;             // else it had another number of parts, which were dropped
};

// Of the library that is loaded: major, minor, patch.
[[nodiscard]] std::array<int, 3> zmq_version_numbers();

// Whether the socket of the broker chose this routing id, which no client can choose: ZeroMQ keeps
// those that begin with a zero for itself.
[[nodiscard]] bool assigned_by_broker(std::string_view peer);

// The pid at the other end of an ipc connection, from the kernel; 0 if unknown.
[[nodiscard]] std::uint64_t peer_pid(const Incoming& message);

// The user at the other end of an ipc connection, from the kernel; nothing for another connection.
[[nodiscard]] std::optional<std::uint32_t> peer_uid(const Incoming& message);

// Its connection has said HELLO, so that the connection limiter does not close it.
void greeted(const Incoming& hello);

// PeerClosings::watch() for its connection.
[[nodiscard]] std::uint64_t watch_closing(const Incoming& hello,
                                          const std::shared_ptr<PeerClosings::Cookies>& list);

class Endpoint {
 public:
  explicit Endpoint(int io_threads = 1);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Before bind(), where keys are used: from here on every tcp:// address, and where asked every
  // ipc:// address, takes connections with a key that counts alone. Tried out before it returns, so
  // that no address is opened to strangers. Empty on success, else an error sentence.
  [[nodiscard]] std::string require_keys(CurveOptions options);
  // Empty on success, else an error sentence.
  [[nodiscard]] std::string bind(const std::vector<std::string>& addresses);
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
