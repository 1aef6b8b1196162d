#include "link.h"

#include "options.h"
#include "wire/codec.h"
#include "wire/error_codes.h"
#include "wire/message_parts.h"

#include <unistd.h>
#include <zmq.h>
#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <random>
#include <utility>

namespace millrace {
namespace {

using namespace std::chrono_literals;

constexpr auto turn_max = 100ms, idle_turn_max = 1'000ms;
constexpr auto backoff_min = 50ms, backoff_max = 2'000ms;
constexpr int connect_pause_ms_min = 100, connect_pause_ms_max = 2'000;
constexpr int ends = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr auto heartbeat_max = 1h;  // twice of it is a patience
// A correlation is the number of its user, then one that rises.
constexpr unsigned user_shift = 40;
constexpr std::uint64_t correlation_mask = (std::uint64_t{1} << user_shift) - 1;

// A large body goes to ZeroMQ without a copy. The flag orders our writes before its thread's end of
// them, where a sanitizer can see it.
constexpr std::size_t copied_bytes_max = 1'024;
struct Outgoing {
  std::string body;
  std::atomic<bool> handed{false};
};
void let_go(void* /*data*/, void* hint) {
  auto* const outgoing = static_cast<Outgoing*>(hint);
  (void)outgoing->handed.load(std::memory_order_acquire);
  delete outgoing;
}

void send_body(void* socket, std::string&& body) {
  if (body.size() <= copied_bytes_max) {
    zmq_send(socket, body.data(), body.size(), ZMQ_DONTWAIT);
    return;
  }
  auto outgoing = std::make_unique<Outgoing>();
  outgoing->body = std::move(body);
  zmq_msg_t message;
  if (zmq_msg_init_data(&message, outgoing->body.data(), outgoing->body.size(), let_go,
                        outgoing.get()) != 0) {
    return;  // no memory: as a message that was lost
  }
  outgoing.release()->handed.store(true, std::memory_order_release);
  if (zmq_msg_send(&message, socket, ZMQ_DONTWAIT) < 0) zmq_msg_close(&message);
}

// The end of a connection that was reported, 0: none.
int end_of(void* monitor) {
  int end = 0;
  wire::MessagePart event, address;
  while (monitor != nullptr && event.receive(monitor) && address.receive(monitor)) {
    std::uint16_t kind = 0;
    std::memcpy(&kind, event.view().data(), sizeof kind);
    // What was refused is disconnected too: the first says more.
    if (end == 0) end = kind;
  }
  return end;
}

}  // namespace

wire::Id random_id() {
  std::random_device device;
  wire::Id id{};
  for (auto& byte : id) byte = static_cast<std::uint8_t>(device());
  return id;
}

struct Link::ShardLink {
  std::size_t index = 0;
  std::vector<std::string> endpoints;
  std::size_t next_endpoint = 0;
  std::string endpoint;  // of the socket
  void* socket = nullptr;
  void* monitor = nullptr;  // tells at once that the connection is gone
  bool ready = false, refusal_told = false, silence_told = false;
  std::size_t broker_key = 0;  // of the broker's public keys, the one to try
  std::uint64_t hello_sent = 0;
  Clock::time_point open_at{}, heard{}, beaten{};
  Clock::duration backoff = backoff_min, heartbeat = 10s;
};

Link::Link(EventLoop& loop, const ConnectionOptions& options, const KeyFile* key, wire::Role role)
    : loop_(loop),
      options_(options),
      key_(key),
      role_(role),
      random_(std::random_device{}()),
      session_(random_id()) {}

Link::~Link() { close(); }

void Link::add(User& user) {
  used_ = true;
  loop_.post([this, &user] { take_in(user); });
}

void Link::take_in(User& user) {
  user.number_ = numbers_++;
  users_.emplace(user.number_, &user);
  if (shards_.empty()) {
    auto first = std::make_unique<ShardLink>();
    first->endpoints = options_.brokers;
    shards_.push_back(std::move(first));
    return loop_.add(*this);
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i]->ready) user.on_ready(i, {});
  }
  if (topology_.known()) user.on_topology();
}

void Link::remove(User& user) {
  if (!used_) return;
  loop_.run_there([this, &user] {
    const auto found = users_.find(user.number_);
    if (found != users_.end() && found->second == &user) users_.erase(found);
  });
}

void Link::close() {
  if (!used_.exchange(false)) return;
  loop_.run_there([this] {
    users_.clear();
    for (auto& shard : shards_) {
      close_sockets(*shard);
      set_ready(*shard, false, LogLevel::info);
    }
    shards_.clear();
    all_ready_ = false;
    loop_.remove(*this);
  });
}

bool Link::ready(std::size_t shard) const {
  return shard < shards_.size() && shards_[shard]->ready;
}

std::uint64_t Link::send_as(std::uint64_t user, std::size_t index, wire::Verb verb,
                            std::string body) {
  ShardLink& shard = *shards_[index];
  const std::uint64_t correlation = user << user_shift | (++correlations_ & correlation_mask);
  const std::string header = wire::encode_header(verb, correlation);
  if (shard.socket == nullptr) return correlation;
  if (zmq_send(shard.socket, header.data(), header.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
    send_body(shard.socket, std::move(body));
  }
  return correlation;
}

void Link::ask_topology(const std::vector<std::string>& topics) {
  if (!ready(0) || topology_asked_ != 0) return;
  topology_topics_ = topics;
  log(LogLevel::debug, *shards_[0], "is asked for the topology");
  wire::Topology body;
  for (const auto& topic : topology_topics_) body.topics.push_back(topic);
  topology_asked_ = send_as(0, 0, wire::Verb::topology, wire::encode(body));
}

void Link::reconnect(std::size_t shard) {
  log(LogLevel::warning, *shards_[shard], "has not answered a request: connecting again");
  close(*shards_[shard], backoff_min);
}

void Link::log(LogLevel level, const ShardLink& shard, const char* what) const {
  report(options_, level,
         "shard " + std::to_string(shard.index) + " at " + shard.endpoint + " " + what);
}

void Link::set_ready(ShardLink& shard, bool ready, LogLevel level) {
  if (std::exchange(shard.ready, ready) == ready) return;
  const auto& told = ready ? options_.on_connected : options_.on_disconnected;
  log(ready ? LogLevel::info : level, shard, ready ? "is connected" : "is no longer connected");
  if (!told) return;
  try {
    told({shard.index, shard.endpoint});
  } catch (const std::exception& e) {
    report(options_, LogLevel::error, std::string("a connection callback threw: ") + e.what());
  } catch (...) {
    report(options_, LogLevel::error,
           "a connection callback threw a value that is not a std::exception");
  }
  if (loop_.inherited()) end_child("callback");
}

void Link::open(ShardLink& shard) {
  shard.socket = zmq_socket(loop_.context(), ZMQ_DEALER);
  if (shard.socket == nullptr) {  // no descriptor is left
    shard.open_at = Clock::now() + shard.backoff;
    return;
  }
  const auto set = [&shard](int option, int value) {
    zmq_setsockopt(shard.socket, option, &value, sizeof value);
  };
  set(ZMQ_LINGER, 0);
  set(ZMQ_SNDHWM, 0);  // the owner bounds what is in flight
  set(ZMQ_RCVHWM, 0);
  set(ZMQ_HEARTBEAT_IVL, 1'000);
  set(ZMQ_HEARTBEAT_TIMEOUT, 5'000);
  set(ZMQ_IPV6, 1);
  // Attempts to reach an address that does not answer; libzmq adds a random part to each pause.
  set(ZMQ_RECONNECT_IVL, connect_pause_ms_min);
  set(ZMQ_RECONNECT_IVL_MAX, connect_pause_ms_max);
  const auto bytes_max = static_cast<std::int64_t>(wire::frame_bytes_max);
  zmq_setsockopt(shard.socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
  const std::string events = "inproc://events-" + std::to_string(loop_.next_number());
  zmq_socket_monitor(shard.socket, events.c_str(), ends);
  shard.monitor = zmq_socket(loop_.context(), ZMQ_PAIR);
  if (shard.monitor != nullptr) zmq_connect(shard.monitor, events.c_str());
  connect(shard);
}

void Link::connect(ShardLink& shard) {
  shard.endpoint = shard.endpoints[shard.next_endpoint++ % shard.endpoints.size()];
  if (use_key(shard) && zmq_connect(shard.socket, shard.endpoint.c_str()) == 0) {
    return hello(shard);
  }
  if (!std::exchange(shard.refusal_told, true)) {
    report(options_, LogLevel::error,
           "the address '" + shard.endpoint +
               "' cannot be connected to: " + zmq_strerror(zmq_errno()));
  }
  close(shard, backoff_max);
}

// False: zmq_errno() says why.
bool Link::use_key(ShardLink& shard) {
  if (key_ == nullptr || (!key_->ipc && shard.endpoint.starts_with("ipc://"))) return true;
  const auto set = [&shard](int option, const std::string& value) {
    return zmq_setsockopt(shard.socket, option, value.data(), value.size()) == 0;
  };
  const auto& brokers = key_->broker_public_keys;
  return set(ZMQ_CURVE_SERVERKEY, brokers[shard.broker_key % brokers.size()]) &&
         set(ZMQ_CURVE_PUBLICKEY, key_->public_key) && set(ZMQ_CURVE_SECRETKEY, key_->secret_key);
}

void Link::hello(ShardLink& shard) {
  wire::Hello body;
  body.role = role_;
  body.session = session_;
  body.name = options_.name;
  body.pid = static_cast<std::uint64_t>(::getpid());
  std::vector<Held> held;
  for (const auto& [number, user] : users_) {
    for (Held& one : user->held(shard.index)) held.push_back(std::move(one));
  }
  for (const auto& [job, token] : held) {
    if (const auto ref = wire::parse_job(job)) body.held.emplace_back(*ref, token);
  }
  set_ready(shard, false);
  shard.heard = shard.beaten = Clock::now();
  shard.hello_sent = send_as(0, shard.index, wire::Verb::hello, wire::encode(body));
}

void Link::close_sockets(ShardLink& shard) {
  if (shard.socket == nullptr) return;
  zmq_socket_monitor(shard.socket, nullptr, 0);
  if (shard.monitor != nullptr) zmq_close(shard.monitor);
  zmq_close(shard.socket);
  shard.socket = shard.monitor = nullptr;
}

// Clients that lost their broker at the same moment do not all come back at the same moment.
Clock::duration Link::jittered(Clock::duration wait) {
  const auto half = wait.count() / 2;
  return Clock::duration(half +
                         std::uniform_int_distribution<Clock::duration::rep>(0, 2 * half)(random_));
}

void Link::lost(ShardLink& shard, int event) {
  if (event == ZMQ_EVENT_DISCONNECTED) return close(shard, jittered(backoff_min));
  ++shard.broker_key;
  if (!std::exchange(shard.refusal_told, true)) {
    report(
        options_, LogLevel::error,
        "the broker at " + shard.endpoint +
            (key_ == nullptr
                 ? " refuses connections without a key: set key_file or MILLRACE_KEY_FILE to the "
                   "file that millrace keys new wrote"
             : event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                 ? " refuses the key of " + key_->name +
                       ": it is unknown there, was revoked or has expired, and the broker's "
                       "log says which"
                 : " does not have the key that the file " + options_.key_file +
                       " names, or uses no keys: the file may be of another broker"));
  }
  close(shard, jittered(shard.backoff));
  shard.backoff = std::min<Clock::duration>(shard.backoff * 2, backoff_max);
}

void Link::close(ShardLink& shard, Clock::duration wait) {
  if (shard.socket == nullptr) return;
  close_sockets(shard);
  shard.open_at = Clock::now() + wait;
  if (shard.index == 0) topology_asked_ = 0;
  set_ready(shard, false);
}

void Link::keep_up(ShardLink& shard, Clock::time_point now) {
  if (shard.socket == nullptr) {
    if (now >= shard.open_at) open(shard);
    return;
  }
  // Unanswered for too long: a new socket, for what the old one still holds may be lost or stale.
  const Clock::duration patience =
      shard.ready ? std::max<Clock::duration>(2 * shard.heartbeat, 1s)
                  : std::min<Clock::duration>(options_.reply_patience, shard.backoff * 10);
  if (now - shard.heard > patience) {
    log(std::exchange(shard.silence_told, true) ? LogLevel::debug : LogLevel::warning, shard,
        "does not answer: connecting again");
    close(shard, jittered(shard.backoff));
    shard.backoff = std::min<Clock::duration>(shard.backoff * 2, backoff_max);
    return;
  }
  if (shard.ready && now - shard.beaten > shard.heartbeat / 2) {
    shard.beaten = now;
    send_as(0, shard.index, wire::Verb::heartbeat, wire::encode(wire::Empty{}));
  }
}

void Link::receive_from(ShardLink& shard) {
  for (int budget = 1'024; budget > 0 && shard.socket != nullptr; --budget) {
    wire::MessageParts parts;
    const auto received = wire::receive(shard.socket, parts);
    if (received == wire::Received::nothing) return;
    const auto header = wire::decode_header(parts.header.view());
    if (received == wire::Received::two_parts && header) take(shard, *header, parts.body.view());
  }
}

void Link::take(ShardLink& shard, const wire::Header& header, std::string_view body) {
  shard.heard = Clock::now();
  const auto verb = static_cast<wire::Verb>(header.verb);
  if (verb == wire::Verb::error) {
    const auto error = wire::decode<wire::ErrorBody>(body);
    if (error && error->code == "no_session") return hello(shard);
  }
  if (verb == wire::Verb::closing) {
    log(LogLevel::info, shard, "is about to stop");
    return close(shard, backoff_min * 2);
  }
  // Made before the broker read our HELLO, which did not name it: the broker has it back.
  if (verb == wire::Verb::deliver && !shard.ready) return;
  if (header.correlation == shard.hello_sent && !shard.ready) return take_hello(shard, verb, body);
  if (topology_asked_ != 0 && header.correlation == topology_asked_) {
    return take_topology(verb, body);
  }
  const auto user = users_.find(header.correlation >> user_shift);
  if (user != users_.end()) user->second->on_message(shard.index, header, body);
}

void Link::take_hello(ShardLink& shard, wire::Verb verb, std::string_view body) {
  const auto ok = wire::decode<wire::HelloOk>(body);
  if (!ok || verb != wire::Verb::ok) {
    const auto error = wire::decode<wire::ErrorBody>(body);
    if (!std::exchange(shard.refusal_told, true)) {
      report(options_, LogLevel::error,
             "the broker at " + shard.endpoint + " refuses the connection: " +
                 (error ? std::string(error->message) : "its answer is malformed"));
    }
    return close(shard, backoff_max);
  }
  shard.refusal_told = shard.silence_told = false;
  set_ready(shard, true);
  shard.backoff = backoff_min;
  shard.heartbeat = std::min<Clock::duration>(span_of(ok->heartbeat_ms), heartbeat_max);
  if (shard.index == 0 && !topology_.known()) ask_topology({});
  for (const auto& [number, user] : users_) user->on_ready(shard.index, ok->lost);
}

void Link::take_topology(wire::Verb verb, std::string_view body) {
  topology_asked_ = 0;
  if (verb != wire::Verb::ok || !topology_.update(body, topology_topics_)) return;
  while (shards_.size() < topology_.shards().size()) {
    auto next = std::make_unique<ShardLink>();
    next->index = shards_.size();
    next->endpoints = topology_.shards()[next->index];
    shards_.push_back(std::move(next));
  }
  for (const auto& [number, user] : users_) user->on_topology();
}

Clock::duration Link::rest() {
  const bool idle = all_ready_ && std::all_of(users_.begin(), users_.end(), [](const auto& entry) {
                      return entry.second->idle();
                    });
  Clock::duration longest = idle ? idle_turn_max : turn_max;
  const auto now = Clock::now();
  for (const auto& shard : shards_) {
    longest = std::min(longest, shard->socket != nullptr
                                    ? shard->heartbeat / 4
                                    : std::max(shard->open_at - now, Clock::duration::zero()));
  }
  return longest;
}

void Link::add_to(std::vector<zmq_pollitem_t>& items) const {
  for (const auto& shard : shards_) {
    if (shard->socket == nullptr) continue;
    items.push_back({shard->socket, 0, ZMQ_POLLIN, 0});
    if (shard->monitor != nullptr) items.push_back({shard->monitor, 0, ZMQ_POLLIN, 0});
  }
}

void Link::turn(Clock::time_point now) {
  for (std::size_t i = 0; i < shards_.size(); ++i) keep_up(*shards_[i], now);
  for (const auto& [number, user] : users_) user->on_turn(now);
  all_ready_ = topology_.known() &&
               std::all_of(shards_.begin(), shards_.end(), [](const auto& s) { return s->ready; });
}

void Link::receive() {
  for (std::size_t i = 0; i < shards_.size(); ++i) receive_from(*shards_[i]);
  if (loop_.inherited()) return;  // a callback came back out of its fork(): the loop ends the child
  for (auto& shard : shards_) {
    if (const int end = end_of(shard->monitor); end != 0) lost(*shard, end);
  }
}

}  // namespace millrace
