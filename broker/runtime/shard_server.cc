#include "runtime/shard_server.h"

#include "net/connection_limiter.h"
#include "runtime/clock.h"
#include "runtime/event_loop.h"

#include <spdlog/spdlog.h>
#include <utility>

namespace millrace::runtime {
namespace {

constexpr std::size_t messages_a_turn = 1'024;
// Encrypting is done by the socket's threads: a connection belongs to one of them.
constexpr int io_threads_with_keys = 2;

}  // namespace

ShardServer::ShardServer(ShardOptions options, std::unique_ptr<storage::Store> store,
                         const ServerKeys* keys)
    : keys_(keys),
      endpoint_(keys == nullptr ? 1 : io_threads_with_keys),
      addresses_(options.topology[options.engine.shard]),
      shard_(std::move(options), std::move(store), *this) {}
ShardServer::~ShardServer() = default;

std::string ShardServer::start() {
  if (auto wrong = shard_.start(read_clocks()); !wrong.empty()) return wrong;
  if (auto wrong = listen(addresses_); !wrong.empty()) return wrong;
  loop_ = std::make_unique<EventLoop>(
      endpoint_.fd(), static_cast<std::uint64_t>(core::lease_tick_ms),
      EventLoop::Callbacks{[this] { turn(); },
                           [this] { return shard_.wants_turn() || endpoint_.readable(); },
                           [this] { tick(); }, [this] { woken(); }});
  return start_reading();
}

std::string ShardServer::listen(const std::vector<std::string>& addresses) {
  if (keys_ != nullptr) {
    const auto counts = [check = keys_->check](std::string_view key, std::string_view from) {
      return check->counts(key, from);
    };
    auto wrong = endpoint_.require_keys(
        {keys_->broker.secret_key, keys_->broker.public_key, counts, keys_->ipc_keys});
    if (!wrong.empty()) return wrong;
  }
  if (auto wrong = endpoint_.bind(addresses); !wrong.empty()) return wrong;
  for (const auto& address : addresses) spdlog::info("listening on {}", address);
  return {};
}

std::string ShardServer::start_reading() {
  auto rows = shard_.store().reader();
  if (!rows) return rows.error().message;
  auto check = shard_.store().reader();
  if (!check) return check.error().message;
  reader_ = std::make_unique<ReaderThread>(std::move(*rows), std::move(*check),
                                           [this] { loop_->wake(); });
  shard_.attach(*reader_);
  return {};
}

std::string ShardServer::run() {
  if (!stop_) loop_->run();
  if (shard_.failure().empty()) shard_.close();
  return shard_.failure();
}

void ShardServer::request_stop() {
  stop_ = true;
  if (loop_) loop_->wake();
}

void ShardServer::open_topics(std::vector<core::Topic> topics) {
  {
    const std::lock_guard lock(topics_mutex_);
    topics_asked_ = std::move(topics);
  }
  if (loop_) loop_->wake();
}

// The next turn in the same round of the loop commits the changes requested here.
void ShardServer::woken() {
  if (stop_) return loop_->stop();
  shard_.answer_rows(read_clocks());
  std::vector<core::Topic> topics;
  {
    const std::lock_guard lock(topics_mutex_);
    topics.swap(topics_asked_);
  }
  shard_.open_topics(topics);
}

// Deaths are detected at the tick, so that the last messages of the dead worker have arrived and
// count.
void ShardServer::tick() {
  look_at_connections();
  shard_.tick(read_clocks(), deaths_.ended(), connections_.closed());
  stop_if_failed();
}

void ShardServer::turn() {
  shard_.begin_turn(read_clocks());
  for (std::size_t i = 0; i < messages_a_turn; ++i) {
    net::Incoming message;
    if (!endpoint_.receive(message)) break;
    shard_.take(message);
  }
  shard_.finish_turn();
  stop_if_failed();
}

// The connection limiter belongs to the process: the first shard that reads its news logs it.
void ShardServer::look_at_connections() {
  auto& limiter = net::ConnectionLimiter::instance();
  net::ConnectionLimiter::Counts counts;
  if (keys_ != nullptr) {
    counts = [check = keys_->check](std::string_view key) { return check->still_counts(key); };
  }
  const net::ConnectionNews news = limiter.look(read_clocks().mono_ms, counts);
  if (news.keys_ended > 0) {
    spdlog::info("{} connections were closed: their keys were revoked or have expired",
                 news.keys_ended);
  }
  if (news.full) {
    spdlog::warn(
        "new connections are refused: the limit of open files allows {} connections. Connected "
        "clients are not affected; raise LimitNOFILE= (ulimit -n) or close connections",
        limiter.facts().room);
  }
  if (news.ended_refused > 0) {
    spdlog::info("new connections are accepted again after {} were refused", news.ended_refused);
  }
}

void ShardServer::stop_if_failed() {
  if (!shard_.failure().empty()) loop_->stop();
}

bool ShardServer::send(const std::string& peer, std::string_view header, std::string_view body) {
  return endpoint_.send(peer, header, body);
}

std::uint64_t ShardServer::connections_of(std::string_view public_key) {
  return net::ConnectionLimiter::instance().connections_of(public_key);
}

void ShardServer::greeted(const net::Incoming& hello) { net::greeted(hello); }

void ShardServer::worker_came(const net::Incoming& hello, const core::SessionId& session,
                              std::uint64_t pid) {
  // Only a pid that the kernel confirms: a remote peer may send the number of a local process.
  const bool local = net::peer_pid(hello) == pid && deaths_.watch(session, pid);
  local ? connections_.forget(session) : connections_.watch(session, hello);
}

void ShardServer::worker_went(const core::SessionId& session) {
  deaths_.forget(session);
  connections_.forget(session);
}

// A turn follows, or the end.
void ShardServer::answered_late() {
  if (!loop_) return;
  stop_if_failed();
  loop_->wake();
}

}  // namespace millrace::runtime
