#include "link.h"

#include "options.h"
#include "wire/codec.h"
#include "wire/error_codes.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <random>
#include <system_error>

namespace millrace {
namespace {

using namespace std::chrono_literals;

constexpr auto turn_max = 100ms, idle_turn_max = 1'000ms;
constexpr auto backoff_min = 50ms, backoff_max = 2'000ms;
constexpr auto heartbeat_max = 1h;  // twice of it is a patience
constexpr const char* default_broker = "ipc:///run/millrace/millrace.sock";
constexpr const char* broker_variable = "MILLRACE_BROKER";

thread_local const Link* link_here = nullptr;

std::string default_name() {
  char host[128] = "host";
  ::gethostname(host, sizeof host - 1);
  return std::string(host) + ":" + std::to_string(::getpid());
}

// What came: at most the two parts that a message has.
struct Part {
  Part() { zmq_msg_init(&message); }
  ~Part() { zmq_msg_close(&message); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  [[nodiscard]] std::string_view view() {
    return {static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message)};
  }
  zmq_msg_t message{};
};

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

}  // namespace

wire::Id random_id() {
  std::random_device device;
  wire::Id id{};
  for (auto& byte : id) byte = static_cast<std::uint8_t>(device());
  return id;
}

struct Link::Shard {
  std::size_t index = 0;
  std::vector<std::string> endpoints;
  std::size_t next_endpoint = 0;
  std::string endpoint;  // of the socket
  void* socket = nullptr;
  void* monitor = nullptr;  // tells at once that the connection is gone
  bool ready = false, refusal_told = false;
  std::uint64_t hello_sent = 0;
  Clock::time_point open_at{}, heard{}, beaten{};
  Clock::duration backoff = backoff_min, heartbeat = 10s;
};

Link::Link(ConnectionOptions options, wire::Role role, Owner& owner)
    : options_(std::move(options)), role_(role), owner_(owner), session_(random_id()) {
  std::string from;
  if (options_.brokers.empty()) {
    const char* named = std::getenv(broker_variable);
    if (named != nullptr && *named != '\0') from = broker_variable;
    options_.brokers.emplace_back(from.empty() ? default_broker : named);
  }
  wrong_ = misfit(options_, from);
  if (options_.name.empty()) options_.name = default_name();
  options_.reply_patience = std::min(options_.reply_patience, span_max);
  options_.name.resize(std::min(options_.name.size(), wire::name_bytes_max));
  context_ = zmq_ctx_new();
  wake_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (!wrong_ && (context_ == nullptr || wake_fd_ < 0)) {
    wrong_ = Error{ErrorCode::unavailable, "no file descriptor is left for a connection", {}};
  }
  last_turn_ = Clock::now().time_since_epoch();
}

Link::~Link() {
  stop();
  for (auto& shard : shards_) close_sockets(*shard);
  while (context_ != nullptr && zmq_ctx_term(context_) != 0 && zmq_errno() == EINTR) {
  }
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

bool Link::here() const { return link_here == this; }
Link::Inside::Inside(const Link& link) : before_(std::exchange(link_here, &link)) {}
Link::Inside::~Inside() { link_here = before_; }

void Link::start() {
  if (wrong_) return;
  auto first = std::make_unique<Shard>();
  first->endpoints = options_.brokers;
  shards_.push_back(std::move(first));
  const SignalsBlocked quiet;  // ZeroMQ's threads are made by ours
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& e) {
    wrong_ = Error{ErrorCode::unavailable, std::string("no thread was to be had: ") + e.what(), {}};
  }
}

void Link::stop() {
  stop_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void Link::wake() {
  if (woken_.exchange(true)) return;
  const std::uint64_t one = 1;
  while (::write(wake_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

bool Link::ready(std::size_t shard) const {
  return shard < shards_.size() && shards_[shard]->ready;
}

std::uint64_t Link::send(std::size_t index, wire::Verb verb, std::string body) {
  Shard& shard = *shards_[index];
  const std::uint64_t correlation = ++correlations_;
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
  wire::Topology body;
  for (const auto& topic : topology_topics_) body.topics.push_back(topic);
  topology_asked_ = send(0, wire::Verb::topology, wire::encode(body));
}

void Link::reconnect(std::size_t shard) { close(*shards_[shard], backoff_min); }

void Link::open(Shard& shard) {
  shard.socket = zmq_socket(context_, ZMQ_DEALER);
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
  const auto bytes_max = static_cast<std::int64_t>(wire::frame_bytes_max);
  zmq_setsockopt(shard.socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
  const std::string events = "inproc://events-" + std::to_string(++monitors_);
  zmq_socket_monitor(shard.socket, events.c_str(), ZMQ_EVENT_DISCONNECTED);
  shard.monitor = zmq_socket(context_, ZMQ_PAIR);
  if (shard.monitor != nullptr) zmq_connect(shard.monitor, events.c_str());
  connect(shard);
}

void Link::connect(Shard& shard) {
  shard.endpoint = shard.endpoints[shard.next_endpoint++ % shard.endpoints.size()];
  if (zmq_connect(shard.socket, shard.endpoint.c_str()) == 0) return hello(shard);
  if (!std::exchange(shard.refusal_told, true)) {
    report(options_, "the address '" + shard.endpoint +
                         "' cannot be connected to: " + zmq_strerror(zmq_errno()));
  }
  close(shard, backoff_max);
}

void Link::hello(Shard& shard) {
  wire::Hello body;
  body.role = role_;
  body.session = session_;
  body.name = options_.name;
  body.pid = static_cast<std::uint64_t>(::getpid());
  const auto held = owner_.held(shard.index);
  for (const auto& [job, token] : held) {
    if (const auto ref = wire::parse_job(job)) body.held.emplace_back(*ref, token);
  }
  shard.ready = false;
  shard.heard = shard.beaten = Clock::now();
  shard.hello_sent = send(shard.index, wire::Verb::hello, wire::encode(body));
}

void Link::close_sockets(Shard& shard) {
  if (shard.socket == nullptr) return;
  zmq_socket_monitor(shard.socket, nullptr, 0);
  if (shard.monitor != nullptr) zmq_close(shard.monitor);
  zmq_close(shard.socket);
  shard.socket = shard.monitor = nullptr;
}

bool Link::disconnected(Shard& shard) {
  if (shard.monitor == nullptr) return false;
  bool any = false;
  zmq_msg_t part;
  zmq_msg_init(&part);
  while (zmq_msg_recv(&part, shard.monitor, ZMQ_DONTWAIT) >= 0) any = true;
  zmq_msg_close(&part);
  return any;
}

void Link::close(Shard& shard, Clock::duration wait) {
  if (shard.socket == nullptr) return;
  close_sockets(shard);
  shard.open_at = Clock::now() + wait;
  if (shard.index == 0) topology_asked_ = 0;
  if (std::exchange(shard.ready, false)) owner_.on_lost(shard.index);
}

void Link::keep_up(Shard& shard, Clock::time_point now) {
  if (shard.socket == nullptr) {
    if (now >= shard.open_at) open(shard);
    return;
  }
  // Unanswered for too long: a new socket, for what the old one still holds may be lost or stale.
  const Clock::duration patience =
      shard.ready ? std::max<Clock::duration>(2 * shard.heartbeat, 1s)
                  : std::min<Clock::duration>(options_.reply_patience, shard.backoff * 10);
  if (now - shard.heard > patience) {
    close(shard, shard.backoff);
    shard.backoff = std::min<Clock::duration>(shard.backoff * 2, backoff_max);
    return;
  }
  if (shard.ready && now - shard.beaten > shard.heartbeat / 2) {
    shard.beaten = now;
    send(shard.index, wire::Verb::heartbeat, wire::encode(wire::Empty{}));
  }
}

void Link::receive(Shard& shard) {
  for (int budget = 1'024; budget > 0 && shard.socket != nullptr; --budget) {
    Part parts[wire::parts_max], dropped;
    std::size_t count = 0;
    bool more = true;
    while (more) {
      Part& part = count < wire::parts_max ? parts[count] : dropped;
      if (zmq_msg_recv(&part.message, shard.socket, ZMQ_DONTWAIT) < 0) return;
      more = zmq_msg_more(&part.message) != 0;
      ++count;
    }
    const auto header = wire::decode_header(parts[0].view());
    if (count == wire::parts_max && header) take(shard, *header, parts[1].view());
  }
}

void Link::take(Shard& shard, const wire::Header& header, std::string_view body) {
  shard.heard = Clock::now();
  const auto verb = static_cast<wire::Verb>(header.verb);
  if (verb == wire::Verb::error) {
    const auto error = wire::decode<wire::ErrorBody>(body);
    if (error && error->code == "no_session") {
      if (shard.ready) owner_.on_lost(shard.index);
      return hello(shard);
    }
  }
  if (verb == wire::Verb::closing) return close(shard, backoff_min * 2);
  // Made before the broker read our HELLO, which did not name it: the broker has it back.
  if (verb == wire::Verb::deliver && !shard.ready) return;
  if (header.correlation == shard.hello_sent && !shard.ready) return take_hello(shard, verb, body);
  if (topology_asked_ != 0 && header.correlation == topology_asked_) {
    return take_topology(verb, body);
  }
  owner_.on_message(shard.index, header, body);
}

void Link::take_hello(Shard& shard, wire::Verb verb, std::string_view body) {
  const auto ok = wire::decode<wire::HelloOk>(body);
  if (!ok || verb != wire::Verb::ok) {
    const auto error = wire::decode<wire::ErrorBody>(body);
    if (!std::exchange(shard.refusal_told, true)) {
      report(options_, "the broker at " + shard.endpoint + " refuses the connection: " +
                           (error ? std::string(error->message) : "what it says is no answer"));
    }
    return close(shard, backoff_max);
  }
  shard.ready = true;
  shard.backoff = backoff_min;
  shard.heartbeat = std::min<Clock::duration>(span_of(ok->heartbeat_ms), heartbeat_max);
  if (shard.index == 0 && !topology_.known()) ask_topology({});
  owner_.on_ready(shard.index, ok->lost);
}

void Link::take_topology(wire::Verb verb, std::string_view body) {
  topology_asked_ = 0;
  if (verb != wire::Verb::ok || !topology_.update(body, topology_topics_)) return;
  while (shards_.size() < topology_.shards().size()) {
    auto next = std::make_unique<Shard>();
    next->index = shards_.size();
    next->endpoints = topology_.shards()[next->index];
    shards_.push_back(std::move(next));
  }
  owner_.on_topology();
}

Clock::duration Link::rest() const {
  Clock::duration longest = all_ready_ && owner_.idle() ? idle_turn_max : turn_max;
  const auto now = Clock::now();
  for (const auto& shard : shards_) {
    longest = std::min(longest, shard->socket != nullptr
                                    ? shard->heartbeat / 4
                                    : std::max(shard->open_at - now, Clock::duration::zero()));
  }
  return longest;
}

void Link::wait_for_events() {
  std::vector<zmq_pollitem_t> items{{nullptr, wake_fd_, ZMQ_POLLIN, 0}};
  for (const auto& shard : shards_) {
    if (shard->socket == nullptr) continue;
    items.push_back({shard->socket, 0, ZMQ_POLLIN, 0});
    if (shard->monitor != nullptr) items.push_back({shard->monitor, 0, ZMQ_POLLIN, 0});
  }
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(rest()).count();
  zmq_poll(items.data(), static_cast<int>(items.size()), static_cast<long>(wait));
  if (items.front().revents == 0) return;
  std::uint64_t drained = 0;
  [[maybe_unused]] const auto got = ::read(wake_fd_, &drained, sizeof drained);
  woken_.exchange(false);  // after the read: who wakes from here on writes again
}

void Link::run() {
  const Inside inside(*this);
  while (!stop_) {
    const auto now = Clock::now();
    last_turn_ = now.time_since_epoch();
    for (std::size_t i = 0; i < shards_.size(); ++i) keep_up(*shards_[i], now);
    owner_.on_turn(now);
    all_ready_ = topology_.known() && std::all_of(shards_.begin(), shards_.end(),
                                                  [](const auto& s) { return s->ready; });
    wait_for_events();
    for (std::size_t i = 0; i < shards_.size(); ++i) receive(*shards_[i]);
    if (inherited()) end_child("callback");  // of a std::stop_token
    for (auto& shard : shards_) {
      if (disconnected(*shard)) close(*shard, backoff_min);
    }
  }
}

}  // namespace millrace
