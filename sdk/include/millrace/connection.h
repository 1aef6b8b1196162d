// How a program reaches its brokers; shared by Producer, Worker and Client. Wherever they take a
// span or tell one, one that is longer than the clocks can count (292 years) is as long as they
// can.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

struct ConnectionOptions {
  // Any shard of any broker: "ipc:///run/millrace/millrace.sock" or "tcp://127.0.0.1:7300".
  // Empty: the environment variable MILLRACE_BROKER, else ipc:///run/millrace/millrace.sock.
  // What is no address is an error of every call, which names it.
  std::vector<std::string> brokers;
  std::string name;  // shown to people; default "host:pid"
  // A request without an answer for this long: reconnect and resend (docs/protocol.md).
  std::chrono::milliseconds reply_patience{5000};
  // Told in a sentence what no call returns: options that are wrong, an exception out of a
  // callback, a broker that refuses a worker's topics. Called on any thread of yours or ours; must
  // not block. Empty: a line on standard error.
  std::function<void(std::string_view)> on_error;
};

}  // namespace millrace
