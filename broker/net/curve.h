// Keys on a ROUTER socket: CURVE encrypts and proves who holds a key, and a ZAP handler of ours
// (RFC 27 of ZeroMQ) decides which keys count. Without a handler libzmq takes any key, so
// try_out() proves, before an address is opened, that a strange key is refused.
// The name of a connection is the public key that it has proven, never what a client says.
// Threads: a handler has a thread of its own, which calls CurveOptions::counts.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace millrace::net {

struct CurveOptions {
  std::string secret_key, public_key;  // the broker's, Z85
  // Whether a key counts, and from which address it is used; empty: of a connection that this room
  // made itself, to try the check out. Any thread.
  std::function<bool(std::string_view public_key, std::string_view address)> counts;
  bool ipc_keys = false;  // ipc:// addresses need a key too
};

// For the binds that follow, for good: addresses that need no key are bound before. False:
// zmq_errno() says why.
[[nodiscard]] bool set_mechanism(void* socket, const CurveOptions& options);

class ZapHandler {
 public:
  ZapHandler(void* context, CurveOptions options);
  ~ZapHandler();  // after zmq_ctx_shutdown()
  ZapHandler(const ZapHandler&) = delete;
  ZapHandler& operator=(const ZapHandler&) = delete;

  // Empty once it answers, else an error sentence.
  [[nodiscard]] std::string start();
  [[nodiscard]] const CurveOptions& options() const { return options_; }
  // Accepts one more key until the next call: for try_out(). Empty: none.
  void accept_also(const std::string& public_key);

 private:
  void run(void* socket);
  [[nodiscard]] bool counts(std::string_view public_key, std::string_view address);

  void* const context_;
  const CurveOptions options_;
  std::mutex mutex_;  // guards also_
  std::string also_;
  std::thread thread_;
};

// Connects to a socket of the context with no key, a strange key and a key that counts: the first
// two must be refused. Empty, or a sentence why the broker must not start.
[[nodiscard]] std::string try_out(void* context, ZapHandler& handler);

// The answer to one request of ZAP, in frames; for the handler and its tests. A request that is
// malformed is refused.
struct ZapRequest {
  std::string_view version, id, domain, address, routing_id, mechanism, credentials;
};
struct ZapAnswer {
  std::string_view status, text;
  std::string user_id;
};
[[nodiscard]] ZapAnswer answer_zap(
    const ZapRequest& request,
    const std::function<bool(std::string_view public_key, std::string_view address)>& counts);

}  // namespace millrace::net
