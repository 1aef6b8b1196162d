#include "net/endpoint.h"

#include "net/connection_limiter.h"
#include "wire/limits.h"
#include "wire/message_parts.h"

#include <sys/socket.h>
#include <zmq.h>

namespace millrace::net {
namespace {

// Messages a peer may have waiting before it counts as one that does not read.
constexpr int queue_max = 10'000;
constexpr std::size_t assigned_id_bytes = 5;

bool is_ipc(const std::string& address) { return address.rfind("ipc://", 0) == 0; }

// The descriptor of the connection of a message; -1 if unknown.
int socket_of(const Incoming& message) {
  if (!message.two_parts) return -1;
  return static_cast<const wire::MessageParts*>(message.owner.get())->header.descriptor();
}

// Of a connection that is not local: no pid.
ucred peer_of(const Incoming& message) {
  const int fd = socket_of(message);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (fd < 0 || ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  return peer;
}

void* new_context(int io_threads) {
  void* const context = zmq_ctx_new();
  zmq_ctx_set(context, ZMQ_IO_THREADS, io_threads);
  return context;
}

}  // namespace

struct Endpoint::Sockets {
  explicit Sockets(int io_threads) : context(new_context(io_threads)) {}
  void* context;
  void* router = zmq_socket(context, ZMQ_ROUTER);
  std::unique_ptr<ZapHandler> zap;  // null: no keys are used
};

Endpoint::Endpoint(int io_threads) : sockets_(std::make_unique<Sockets>(io_threads)) {
  const auto set = [this](int option, int value) {
    zmq_setsockopt(sockets_->router, option, &value, sizeof value);
  };
  set(ZMQ_ROUTER_MANDATORY, 1);  // else a message to a disconnected peer is dropped silently
  set(ZMQ_LINGER, 200);
  set(ZMQ_SNDHWM, queue_max);
  set(ZMQ_RCVHWM, queue_max);
  set(ZMQ_HANDSHAKE_IVL, static_cast<int>(silent_ms_max));
  set(ZMQ_HEARTBEAT_IVL, 1'000);
  set(ZMQ_HEARTBEAT_TIMEOUT, 5'000);
  set(ZMQ_IPV6, 1);
  const auto bytes_max = static_cast<std::int64_t>(wire::frame_bytes_max);
  zmq_setsockopt(sockets_->router, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
}

Endpoint::~Endpoint() {
  zmq_close(sockets_->router);
  zmq_ctx_shutdown(sockets_->context);  // ends the handler's wait
  sockets_->zap.reset();
  zmq_ctx_term(sockets_->context);
}

std::string Endpoint::require_keys(CurveOptions options) {
  sockets_->zap = std::make_unique<ZapHandler>(sockets_->context, std::move(options));
  if (auto wrong = sockets_->zap->start(); !wrong.empty()) return wrong;
  return try_out(sockets_->context, *sockets_->zap);
}

std::string Endpoint::bind(const std::vector<std::string>& addresses) {
  const auto bind_those = [&](bool with_key) -> std::string {
    for (const auto& address : addresses) {
      const bool needs_key =
          sockets_->zap && (sockets_->zap->options().ipc_keys || !is_ipc(address));
      if (needs_key != with_key || zmq_bind(sockets_->router, address.c_str()) == 0) continue;
      return "listening on " + address + ": " + zmq_strerror(zmq_errno()) +
             "; if another program uses this address, stop it or choose another address";
    }
    return {};
  };
  if (auto wrong = bind_those(false); !wrong.empty() || !sockets_->zap) return wrong;
  if (!set_mechanism(sockets_->router, sockets_->zap->options())) {
    return std::string("the broker's key cannot be used: ") + zmq_strerror(zmq_errno());
  }
  return bind_those(true);
}

int Endpoint::fd() const {
  int fd = -1;
  std::size_t size = sizeof fd;
  zmq_getsockopt(sockets_->router, ZMQ_FD, &fd, &size);
  return fd;
}

bool Endpoint::readable() const {
  int events = 0;
  std::size_t size = sizeof events;
  zmq_getsockopt(sockets_->router, ZMQ_EVENTS, &events, &size);
  return (events & ZMQ_POLLIN) != 0;
}

bool Endpoint::receive(Incoming& message) {
  wire::MessagePart peer;
  if (!peer.receive(sockets_->router)) return false;
  message.peer = peer.view();
  auto parts = std::make_shared<wire::MessageParts>();
  message.two_parts =
      peer.more() && wire::receive(sockets_->router, *parts) == wire::Received::two_parts;
  message.header = parts->header.view();
  message.body = parts->body.view();
  if (sockets_->zap != nullptr) {
    message.public_key = parts->header.user_id();
    message.address = parts->header.peer_address();
  }
  message.owner = std::move(parts);
  return true;
}

std::array<int, 3> zmq_version_numbers() {
  std::array<int, 3> numbers{};
  zmq_version(&numbers[0], &numbers[1], &numbers[2]);
  return numbers;
}

void greeted(const Incoming& hello) {
  ConnectionLimiter::instance().said_hello(socket_of(hello), hello.public_key);
}

std::uint64_t watch_closing(const Incoming& hello,
                            const std::shared_ptr<PeerClosings::Cookies>& list) {
  return PeerClosings::instance().watch(socket_of(hello), list);
}

bool assigned_by_broker(std::string_view peer) {
  return peer.size() == assigned_id_bytes && peer.front() == '\0';
}

std::uint64_t peer_pid(const Incoming& message) {
  const ucred peer = peer_of(message);
  return peer.pid > 0 ? static_cast<std::uint64_t>(peer.pid) : 0;
}

std::optional<std::uint32_t> peer_uid(const Incoming& message) {
  const ucred peer = peer_of(message);
  return peer.pid > 0 ? std::optional<std::uint32_t>(peer.uid) : std::nullopt;
}

bool Endpoint::send(const std::string& peer, std::string_view header, std::string_view body) {
  constexpr int first = ZMQ_DONTWAIT | ZMQ_SNDMORE;
  void* router = sockets_->router;
  return zmq_send(router, peer.data(), peer.size(), first) >= 0 &&
         zmq_send(router, header.data(), header.size(), first) >= 0 &&
         zmq_send(router, body.data(), body.size(), ZMQ_DONTWAIT) >= 0;
}

}  // namespace millrace::net
