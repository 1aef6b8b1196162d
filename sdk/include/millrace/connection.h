// How a program connects to its brokers: options of each Producer, Worker and Client, or one
// Connection that those of a process share.
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

// A duration that is longer than the clocks can count (292 years), in options and results of the
// SDK, is reduced to that maximum.
struct ConnectionOptions {
  // The version of the headers that the program was compiled with. Do not set it: a library of
  // another minor version refuses it (invalid), because its structs have another layout. The first
  // member, so that each version finds it.
  std::uint32_t headers_version = MILLRACE_VERSION_NUMBER;
  // Any shard of any broker: "ipc:///run/millrace/millrace.sock" or "tcp://127.0.0.1:7300".
  // Empty: the environment variable MILLRACE_BROKER, else ipc:///run/millrace/millrace.sock.
  // A malformed address is an error of every call, which names it.
  std::vector<std::string> brokers;
  std::string name;  // a label for people; default "host:pid"
  // A client's key file, which millrace keys new wrote, for brokers that require keys: every
  // connection by tcp:// is then encrypted, both sides prove their keys, and the key's name is what
  // the broker knows this program by. Nobody else may be able to read the file.
  // $CREDENTIALS_DIRECTORY/NAME is a credential of systemd. Empty: the environment variable
  // MILLRACE_KEY_FILE, else no key. If brokers is empty and MILLRACE_BROKER is not set, the file's
  // addresses are used. A file that cannot be used is an error of every call.
  std::string key_file;
  // A request without an answer for this long: reconnect and resend (docs/protocol.md).
  std::chrono::milliseconds reply_patience{5000};

  // Receives the messages that no call returns, in whole sentences.
  //   error    needs a correction: wrong options, an exception from a callback, a broker that
  //            refuses the connection or a worker's topics
  //   warning  the SDK tries again: a connection that was lost, a broker that does not answer
  //   info     connected, closed; a handler is asked to stop, and why
  //   debug    requests to a broker beside the jobs, and each further attempt
  // Called on any thread of the application or the SDK, also on several at once; must not block. An
  // exception from it is caught. Empty: errors are lines on standard error.
  std::function<void(LogLevel, std::string_view)> log;

  // A shard has accepted this connection (it answered HELLO); the connection was lost or closed.
  // They are called alternately for each connection, and for each on_connected there is one
  // on_disconnected. A Worker reports its own connections, also if it shares a Connection. Called
  // on the background thread, the last on_disconnected while the last object that used the
  // connection is destroyed. They must not block, a call that would wait for an answer is refused
  // in them as in any callback, and an exception from one is caught and logged as an error.
  std::function<void(const ShardConnection&)> on_connected, on_disconnected;
};

class MILLRACE_HIDDEN ConnectionCore;

// A shared connection: pass the same one to the Producers, Workers and Clients of a process as
// shared_connection. They share one background thread and its resources (ZeroMQ's threads, file
// descriptors, memory). Its Producers and Clients also share one session: one socket a shard, and
// the topology. Each Worker has a session and sockets of its own, because the broker's deliveries
// and leases belong to one session; it shares the rest.
//
// Lifetime: the first of them connects, in the background. The connection lives until this object
// and all objects that share it are destroyed, in any order.
//
// Threads: any. All callbacks of the objects that share it run on its one thread, so a callback
// that blocks delays all of them. The rules of a class for callbacks of the same object apply to
// callbacks of every object that shares the Connection: a call that would wait for an answer is
// refused at once there, and destroying one of the objects there is a programmer error: the SDK
// prints a message and aborts.
//
// A reconnect serves all Producers and Clients: each resends its unanswered requests.
//
// fork(): a Connection belongs to the process that made it. In a child every object that shares it,
// also an object made in the child, is refused as if the parent had made it; make a new Connection
// in the child.
//
// Wrong options are an error of each call of all objects that share it; the message names the
// option.
class MILLRACE_EXPORT Connection {
 public:
  explicit Connection(ConnectionOptions options = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Whether the session of its Producers and Clients is connected to every known shard now; false
  // before the first Producer or Client. A Worker has a connected() of its own.
  [[nodiscard]] bool connected() const;

 private:
  friend MILLRACE_HIDDEN const std::shared_ptr<ConnectionCore>& core_of(const Connection&);
  std::shared_ptr<ConnectionCore> core_;
};

}  // namespace millrace
