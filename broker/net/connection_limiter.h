// Bounds the connections of the process by its descriptors. libzmq accepts every connection, has no
// limit of its own, and aborts the process when accept() on an ipc:// address finds no descriptor
// left. Its monitor reports connections only afterwards, when a burst may already have taken the
// last descriptor. But libzmq is a shared library: its calls of accept4() and accept() find the
// definitions of this file, which the program exports.
//
// The kernel assigns the lowest free descriptor number. A connection whose number reaches the limit
// proves that every lower number is in use, so it is closed at once, and libzmq gets the error of
// an aborted connection, which it handles. The numbers from the limit on are reserved for the
// store, backups and HTTP: this is exact in any burst, without a counter that could be wrong.
//
// A connection that has not said HELLO within a few seconds is shut down; libzmq then closes it. So
// is one whose key does not count any more.
//
// Threads: any. One mutex, held for at most one system call; under it each accepted connection
// updates the entry of its number, and a number that was closed and used again is recognized by the
// socket's cookie, which the kernel assigns once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

struct sockaddr;

namespace millrace::net {

inline constexpr std::int64_t silent_ms_max = 5'000;      // from a connection to its HELLO
inline constexpr std::int64_t refusing_ms_kept = 5'000;   // since the last refusal
inline constexpr std::int64_t connections_look_ms = 250;  // between two looks at every connection

struct ConnectionFacts {
  std::uint64_t open = 0, room = 0;  // open connections, and their maximum
  std::uint64_t refused = 0, silent = 0;
  bool refusing = false;  // new connections were refused a moment ago
};
// The changes since the last call of look(); each is reported once.
struct ConnectionNews {
  bool full = false;                // an episode of refusals begins
  std::uint64_t ended_refused = 0;  // an episode has ended: how many refusals it had
  std::uint64_t keys_ended = 0;     // connections whose key does not count any more
};

class ConnectionLimiter {
 public:
  // Of the process, as accept() is.
  static ConnectionLimiter& instance();

  // From here on no connection has a number of `line` or more.
  void arm(int line, std::int64_t now_mono_ms);
  // Called when the process has opened its own files: the free numbers below the line are for
  // connections.
  void measure();
  // Whether a descriptor that was opened for a client leaves the reserve alone.
  [[nodiscard]] bool keeps(int fd) const;
  // public_key: proven by the connection; empty: it needs none.
  void said_hello(int fd, std::string_view public_key);
  // Shuts down silent connections, and those whose key does not count; called periodically, by any
  // thread.
  using Counts = std::function<bool(std::string_view public_key)>;
  [[nodiscard]] ConnectionNews look(std::int64_t now_mono_ms, const Counts& counts = {});
  // The open connections of a key that have said HELLO.
  [[nodiscard]] std::uint64_t connections_of(std::string_view public_key);
  [[nodiscard]] ConnectionFacts facts();

  // The connections that this thread accepts are not counted: they have a bound of their own.
  class Exempt {
   public:
    Exempt();
    ~Exempt();
    Exempt(const Exempt&) = delete;
    Exempt& operator=(const Exempt&) = delete;
  };

  // As accept4(); an error is one that a listener of libzmq expects.
  int accept(int listener, sockaddr* address, unsigned* bytes, int flags);

 private:
  struct Connection {
    std::uint64_t cookie = 0;  // 0: none that is known
    std::int64_t accepted_ms = 0;
    bool greeted = false;
    std::string public_key;
  };

  int take(int fd);
  [[nodiscard]] std::uint64_t count_open();

  std::atomic<int> line_{0};             // 0: not armed
  std::mutex mutex_;                     // guards all below
  std::vector<Connection> connections_;  // by descriptor, up to the highest that was a connection
  std::int64_t now_ms_ = 0, looked_ms_ = 0, refused_ms_ = 0;
  std::uint64_t room_ = 0, refused_ = 0, silent_ = 0, refused_before_ = 0;
  bool refusing_ = false, told_ = false;
};

}  // namespace millrace::net
