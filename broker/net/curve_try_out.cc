// Tries the check of keys out before an address is opened: see try_out() in net/curve.h.
#include "net/curve.h"

#include "wire/message_parts.h"

#include <unistd.h>
#include <zmq.h>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>

namespace millrace::net {
namespace {

constexpr int patience_ms = 5'000;
constexpr std::size_t key_text_bytes = 40;

struct TestKey {
  std::array<char, key_text_bytes + 1> open{}, secret{};
  bool made = zmq_curve_keypair(open.data(), secret.data()) == 0;
};

enum class Handshake { accepted, refused, silent };

// A socket that closes itself.
struct TestSocket {
  TestSocket(void* context, int type) : get(zmq_socket(context, type)) {
    const int none = 0;
    zmq_setsockopt(get, ZMQ_LINGER, &none, sizeof none);
  }
  ~TestSocket() { zmq_close(get); }
  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;
  void* get;
};
struct TestContext {
  TestContext() : get(zmq_ctx_new()) {}
  ~TestContext() { zmq_ctx_term(get); }
  TestContext(const TestContext&) = delete;
  TestContext& operator=(const TestContext&) = delete;
  void* get;
};

// Abstract: no file of it stays behind.
std::string address() {
  std::random_device random;
  return "ipc://@millrace-key-check-" + std::to_string(::getpid()) + "-" + std::to_string(random());
}

// What becomes of a connection; the first event of its end or its success.
Handshake outcome(void* monitor) {
  for (;;) {
    wire::MessagePart event, source;
    if (!event.wait(monitor) || !source.wait(monitor)) return Handshake::silent;
    std::uint16_t kind = 0;
    std::memcpy(&kind, event.view().data(), sizeof kind);
    if (kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return Handshake::accepted;
    if (kind != ZMQ_EVENT_CONNECTED) return Handshake::refused;
  }
}

Handshake connect(const std::string& to, const TestKey* key, const std::string& broker_key) {
  const TestContext context;
  const TestSocket dealer(context.get, ZMQ_DEALER), monitor(context.get, ZMQ_PAIR);
  if (key != nullptr) {
    zmq_setsockopt(dealer.get, ZMQ_CURVE_SERVERKEY, broker_key.c_str(), broker_key.size());
    zmq_setsockopt(dealer.get, ZMQ_CURVE_PUBLICKEY, key->open.data(), key_text_bytes);
    zmq_setsockopt(dealer.get, ZMQ_CURVE_SECRETKEY, key->secret.data(), key_text_bytes);
  }
  zmq_setsockopt(monitor.get, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
  constexpr int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                         ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                         ZMQ_EVENT_DISCONNECTED;
  zmq_socket_monitor(dealer.get, "inproc://events", events);
  zmq_connect(monitor.get, "inproc://events");
  zmq_connect(dealer.get, to.c_str());
  const Handshake seen = outcome(monitor.get);
  zmq_socket_monitor(dealer.get, nullptr, 0);
  return seen;
}

}  // namespace

std::string try_out(void* context, ZapHandler& handler) {
  const TestKey known, strange;
  if (!known.made || !strange.made) {
    return "this libzmq was built without CURVE, so keys cannot be used: install Debian's libzmq5";
  }
  const TestSocket router(context, ZMQ_ROUTER);
  const std::string at = address();
  if (!set_mechanism(router.get, handler.options()) || zmq_bind(router.get, at.c_str()) != 0) {
    return std::string("the check of keys could not be tried out: ") + zmq_strerror(zmq_errno());
  }
  const std::string& broker_key = handler.options().public_key;
  handler.accept_also(known.open.data());
  const Handshake with_known = connect(at, &known, broker_key);
  const Handshake with_strange = connect(at, &strange, broker_key);
  const Handshake without = connect(at, nullptr, broker_key);
  handler.accept_also({});
  if (with_strange == Handshake::accepted || without == Handshake::accepted) {
    return std::string("the check of keys accepted a connection ") +
           (without == Handshake::accepted ? "without a key" : "with an unknown key") +
           ", so the broker does not start: this is a fault of Millrace or of libzmq, please "
           "report "
           "it";
  }
  if (with_known != Handshake::accepted) {
    return "the check of keys refused a key that counts, so no client could connect: this is a "
           "fault of Millrace or of libzmq, please report it";
  }
  return {};
}

}  // namespace millrace::net
