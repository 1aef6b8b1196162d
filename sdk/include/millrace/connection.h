// How a program reaches its brokers: options of each Producer, Worker and Client, or one Connection
// that those of a process share.
#pragma once

#include <millrace/export.h>
#include <millrace/version.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
[[nodiscard]] MILLRACE_EXPORT std::string_view to_string(LogLevel level);

// One connection to one shard of a broker.
struct ShardConnection {
  std::size_t shard = 0;
  std::string address;
};

// Wherever the SDK takes a span or tells one, one that is longer than the clocks can count (292
// years) is as long as they can.
struct ConnectionOptions {
  // Of the headers that the program was compiled with. Leave it: a library of another minor version
  // refuses it (invalid), for its structs have another shape. First, so that each version finds it.
  std::uint32_t headers_version = MILLRACE_VERSION_NUMBER;
  // Any shard of any broker: "ipc:///run/millrace/millrace.sock" or "tcp://127.0.0.1:7300".
  // Empty: the environment variable MILLRACE_BROKER, else ipc:///run/millrace/millrace.sock.
  // What is no address is an error of every call, which names it.
  std::vector<std::string> brokers;
  std::string name;  // shown to people; default "host:pid"
  // A request without an answer for this long: reconnect and resend (docs/protocol.md).
  std::chrono::milliseconds reply_patience{5000};

  // Told in whole sentences what no call returns.
  //   error    somebody has to mend it: options that are wrong, an exception out of a callback, a
  //            broker that refuses the connection or a worker's topics
  //   warning  it is tried again: a connection that was lost, a broker that does not answer
  //   info     connected, closed; a handler is asked to stop, and why
  //   debug    what is asked of a broker beside the jobs, and each further try
  // Called on any thread of yours or ours, also on several at once; must not block. An exception
  // out of it is caught. Empty: errors are lines on standard error.
  std::function<void(LogLevel, std::string_view)> log;

  // A shard has taken this connection (it answered HELLO); the connection was lost or closed. They
  // come by turns for each connection, and for each on_connected there is one on_disconnected.
  // A Worker tells of its own connections, also where it shares a Connection. Called on the
  // background thread, the last on_disconnected while the last object that used the connection is
  // destroyed. They must not block, a call that would wait for an answer is refused in them as in
  // any callback, and an exception out of one is caught and logged as an error.
  std::function<void(const ShardConnection&)> on_connected, on_disconnected;
};

class MILLRACE_HIDDEN ConnectionCore;

// One connection for many: give the same one to the Producers, Workers and Clients of a process as
// shared_connection. They share one background thread and what it needs (ZeroMQ's threads, file
// descriptors, memory). Its Producers and Clients also share one session: one socket a shard, and
// what they know of the topology. Each Worker has a session and sockets of its own, for the
// broker's deliveries and leases belong to one session; it shares the rest.
//
// Lifetime: the first of them connects, in the background. The connection lives until this object
// and all that were given it are gone, whatever the order.
//
// Threads: any. All callbacks of those that share it run on its one thread, so that one that blocks
// delays all of them. What a class says of a callback of the same object holds for a callback of
// any that shares the Connection: a call that would wait for an answer is refused at once there,
// and to destroy one of them there is a programmer error: it says so and aborts.
//
// A reconnect is one for all Producers and Clients: each sends again what is unanswered.
//
// fork(): it belongs to the process that made it. In a child whatever shares it, also what is made
// there, is refused as if it were the parent's own; make a new Connection in the child.
//
// Options that are wrong are an error of each call of all that share it, which names the option.
class MILLRACE_EXPORT Connection {
 public:
  explicit Connection(ConnectionOptions options = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Whether the session that its Producers and Clients share has every known shard now; false
  // before the first of them. A Worker says it for itself.
  [[nodiscard]] bool connected() const;

 private:
  friend MILLRACE_HIDDEN const std::shared_ptr<ConnectionCore>& core_of(const Connection&);
  std::shared_ptr<ConnectionCore> core_;
};

}  // namespace millrace
