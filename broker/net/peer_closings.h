// Reports that the other end of a connection closed it: its process ended, or its kernel answered
// with a reset. libzmq does not tell: its monitor reports a lost connection after the descriptor
// was closed, and says the same when libzmq itself gave up a peer that fell silent. But libzmq is a
// shared library: its calls of close() find the definition of this file, which the program exports,
// as its calls of accept() find that of connection_limiter.h. So each watched connection is looked
// at in the last moment of its life: a socket whose peer has closed it has nothing more to read
// (POLLRDHUP), after the FIN of a process that ended as after a reset. One that the broker gives up
// itself, because the peer is stopped or the network between them is silent, is not reported.
//
// A descriptor number is used again, so a connection is known by its socket's cookie, which the
// kernel assigns once. A second descriptor for each connection (dup) with epoll would tell the same
// without close(), but needs twice the descriptors, and keeps a connection open that libzmq closed.
//
// Threads: any. One mutex; sockets are closed under it, so that none is closed between the moment
// when it is found open and the one from which it is watched. A program without a watched
// connection is not affected.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace millrace::net {

class PeerClosings {
 public:
  using Cookies = std::vector<std::uint64_t>;

  // Of the process, as close() is.
  static PeerClosings& instance();

  // From here on the closing of this connection by its peer is added to the reader's list. Returns
  // the cookie of the connection; 0: it is not open any more, and nobody knows who closed it.
  [[nodiscard]] std::uint64_t watch(int fd, const std::shared_ptr<Cookies>& list);
  // Empties the list.
  [[nodiscard]] Cookies take(const std::shared_ptr<Cookies>& list);

  // As close().
  int close(int fd);

 private:
  struct Watched {
    std::uint64_t cookie = 0;
    std::shared_ptr<Cookies> list;
  };

  void look(int fd, std::uint64_t cookie);

  std::mutex mutex_;                // guards all below, and the readers' lists
  std::map<int, Watched> watched_;  // by descriptor
};

}  // namespace millrace::net
