// Who may connect, who is handed to the handler, and how the server ends.
#include "http/server.h"

#include "http/certificate.h"
#include "http/connection.h"
#include "http/forwarded.h"
#include "http/response.h"

#include <uv.h>
#include <atomic>
#include <csignal>
#include <list>
#include <mutex>
#include <unordered_map>

namespace millrace::http {
namespace {

constexpr int backlog = 1'024;
constexpr unsigned accepts_a_turn = 64;
constexpr std::uint64_t look_ms = 250, certificate_look_ms = 1'000;

union SocketAddress {
  sockaddr any;
  sockaddr_in four;
  sockaddr_in6 six;
};

}  // namespace

struct Server::Impl : ConnectionOwner {
  struct Call;

  Impl(ServerOptions o, Handler h) : options_(std::move(o)), handler(std::move(h)) {
    counters_.connections_max = options_.connections_max;
    if (options_.tls) certificate.emplace(*options_.tls, options_.on_certificate);
  }

  void on_request(const ConnectionRef& from) override;
  void on_spoken(Connection* from) override;
  void on_idle(Connection* from) override;
  void on_closing(Connection* from) override;
  void on_closed(Connection* from) override;
  [[nodiscard]] bool last_answers() const override { return draining || stopping; }
  [[nodiscard]] const ServerOptions& options() const override { return options_; }
  [[nodiscard]] SSL_CTX* tls() const override {
    return certificate ? certificate->context() : nullptr;
  }
  [[nodiscard]] ServerCounters& counters() override { return counters_; }
  [[nodiscard]] std::size_t& held_bytes() override { return held; }

  void welcome();
  bool make_room();
  void turn_away();
  void say_full(bool full);
  void answer_all();
  void look_at_clock();
  void begin_stop();
  void end_if_idle();
  void close_handles();

  ServerOptions options_;
  Handler handler;
  ServerCounters counters_;
  std::optional<Certificate> certificate;
  uv_loop_t loop{};
  uv_tcp_t listener{};
  uv_timer_t clock{}, certificate_clock{}, last{};
  uv_async_t wake{};
  uv_check_t turn{};
  std::atomic<bool> stop_wanted{false}, draining{false}, reload_wanted{false};
  bool stopping = false, deferred = false;
  std::size_t held = 0, open = 0;  // open: connections with a descriptor
  unsigned welcomed = 0;           // in this turn of the loop
  std::unordered_map<Connection*, ConnectionRef> connections;
  std::list<Connection*> silent;  // those that give way to a newcomer, the oldest first
  std::mutex mutex;               // guards answered
  std::vector<std::shared_ptr<Call>> answered;
};

// The connection may have gone by the time of the answer: only the loop's thread holds it.
struct Server::Impl::Call : Exchange, std::enable_shared_from_this<Call> {
  Call(Impl& s, const ConnectionRef& c) : server(s), connection(c) {}
  void answer(Response response) override {
    const std::lock_guard lock(server.mutex);
    if (std::exchange(given_, true)) return;
    reply = std::move(response);
    server.answered.push_back(shared_from_this());
    uv_async_send(&server.wake);
  }
  Impl& server;
  std::weak_ptr<Connection> connection;
  Response reply;

 private:
  bool given_ = false;
};

void Server::Impl::on_request(const ConnectionRef& from) {
  auto call = std::make_shared<Call>(*this, from);
  Request& request = from->request();
  call->method = request.method;
  call->path = request.path;
  call->content_type = std::move(request.content_type);
  call->content_encoding = std::move(request.content_encoding);
  call->body = std::move(request.body);
  call->authorization = std::move(request.authorization);
  Caller caller = caller_of({.peer = from->peer(),
                             .tls = from->secure(),
                             .forwarded_for = std::move(request.forwarded_for),
                             .forwarded_proto = std::move(request.forwarded_proto)},
                            options_.trusted_proxies);
  call->client = std::move(caller.client);
  call->secure = caller.secure;
  handler(call);
}

void Server::Impl::on_spoken(Connection* from) {
  if (from->place != silent.end()) silent.erase(std::exchange(from->place, silent.end()));
}

void Server::Impl::on_idle(Connection* from) {
  if (options_.idle_gives_way) from->place = silent.insert(silent.end(), from);
}

void Server::Impl::on_closing(Connection* from) {
  if (from->place != silent.end()) silent.erase(std::exchange(from->place, silent.end()));
  counters_.connections = --open;
  if (open < options_.connections_max - options_.connections_max / 8) say_full(false);
}

void Server::Impl::on_closed(Connection* from) {
  connections.erase(from);
  end_if_idle();
}

bool Server::Impl::make_room() {
  if (open < options_.connections_max) return true;
  if (silent.empty()) return false;
  ++counters_.displaced;
  silent.front()->close();
  return true;
}

// What is closed is freed at the end of a turn, so a turn takes a bounded number. The listener
// reads on after the accept that was deferred.
void Server::Impl::welcome() {
  deferred = ++welcomed > accepts_a_turn;
  if (deferred) return;
  if (!make_room()) return turn_away();
  auto connection = std::make_shared<Connection>(*this, &loop);
  connection->place = silent.insert(silent.end(), connection.get());
  connections.emplace(connection.get(), connection);
  ++counters_.accepted;
  counters_.connections = ++open;
  if (!connection->accept(reinterpret_cast<uv_stream_t*>(&listener))) connection->close();
}

// Told why as far as a socket takes it at once; nothing is kept of it. No handshake for that.
void Server::Impl::turn_away() {
  say_full(true);
  ++counters_.refused;
  auto* stream = new uv_tcp_t{};
  uv_tcp_init(&loop, stream);
  if (uv_accept(reinterpret_cast<uv_stream_t*>(&listener),
                reinterpret_cast<uv_stream_t*>(stream)) == 0 &&
      !options_.tls) {
    std::string text = response_text(options_.refusal(503, "all connections are in use: try again"),
                                     {.last = true});
    const uv_buf_t buffer = uv_buf_init(text.data(), static_cast<unsigned>(text.size()));
    uv_try_write(reinterpret_cast<uv_stream_t*>(stream), &buffer, 1);
  }
  uv_close(reinterpret_cast<uv_handle_t*>(stream),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_tcp_t*>(handle); });
}

void Server::Impl::say_full(bool full) {
  if (counters_.full.exchange(full) == full) return;
  if (options_.on_full) options_.on_full(full);
}

void Server::Impl::answer_all() {
  std::vector<std::shared_ptr<Call>> all;
  {
    const std::lock_guard lock(mutex);
    all.swap(answered);
  }
  for (const auto& call : all) {
    if (options_.on_answer) options_.on_answer(*call, call->reply.status);
    if (const auto connection = call->connection.lock()) connection->answer(call->reply);
  }
  if (reload_wanted.exchange(false) && certificate) certificate->reload();
  if (stop_wanted && !stopping) begin_stop();
  end_if_idle();
}

void Server::Impl::look_at_clock() {
  std::vector<ConnectionRef> all;  // closing takes one out of the table later, never at once
  all.reserve(connections.size());
  for (const auto& [key, connection] : connections) all.push_back(connection);
  for (const auto& connection : all) connection->look_at_clock();
}

void Server::Impl::begin_stop() {
  stopping = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&listener), nullptr);
  for (const auto& [key, connection] : connections) {
    if (connection->idle()) connection->close();
  }
  uv_timer_start(
      &last, [](uv_timer_t* t) { uv_stop(t->loop); },
      static_cast<std::uint64_t>(options_.stop_patience.count()), 0);
}

void Server::Impl::end_if_idle() {
  if (stopping && connections.empty()) uv_stop(&loop);
}

void Server::Impl::close_handles() {
  for (auto* handle :
       {reinterpret_cast<uv_handle_t*>(&listener), reinterpret_cast<uv_handle_t*>(&clock),
        reinterpret_cast<uv_handle_t*>(&last), reinterpret_cast<uv_handle_t*>(&wake),
        reinterpret_cast<uv_handle_t*>(&turn),
        reinterpret_cast<uv_handle_t*>(&certificate_clock)}) {
    if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
  }
  while (uv_run(&loop, UV_RUN_DEFAULT) != 0) {
  }
  uv_loop_close(&loop);
}

Server::Server(ServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {
  Impl& s = *impl_;
  uv_loop_init(&s.loop);
  uv_tcp_init(&s.loop, &s.listener);
  uv_timer_init(&s.loop, &s.clock);
  uv_timer_init(&s.loop, &s.certificate_clock);
  uv_timer_init(&s.loop, &s.last);
  uv_async_init(&s.loop, &s.wake, [](uv_async_t* a) { static_cast<Impl*>(a->data)->answer_all(); });
  uv_check_init(&s.loop, &s.turn);
  s.turn.data = s.wake.data = s.clock.data = s.certificate_clock.data = s.listener.data = &s;
}

Server::~Server() { impl_->close_handles(); }

std::string Server::listen() {
  Impl& s = *impl_;
  if (s.certificate) {
    if (auto wrong = s.certificate->load(); !wrong.empty()) return wrong;
  }
  const auto& where = s.options_.address;
  SocketAddress address{};
  if (uv_ip4_addr(where.host.c_str(), where.port, &address.four) != 0) {
    uv_ip6_addr(where.host.c_str(), where.port, &address.six);
  }
  int wrong = uv_tcp_bind(&s.listener, &address.any, 0);
  if (wrong == 0) {
    wrong = uv_listen(reinterpret_cast<uv_stream_t*>(&s.listener), backlog,
                      [](uv_stream_t* listener, int status) {
                        if (status == 0) static_cast<Impl*>(listener->data)->welcome();
                      });
  }
  int bytes = sizeof address;
  if (wrong == 0) wrong = uv_tcp_getsockname(&s.listener, &address.any, &bytes);
  if (wrong != 0) {
    return std::string(uv_strerror(wrong)) +
           "; if another program uses the port, stop it or choose another port";
  }
  s.options_.address.port = ntohs(address.four.sin_port);  // has the same place in both families
  return {};
}

const Address& Server::address() const { return impl_->options_.address; }

const ServerCounters& Server::counters() const { return impl_->counters_; }

void Server::run() {
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  uv_timer_start(
      &impl_->clock, [](uv_timer_t* t) { static_cast<Impl*>(t->data)->look_at_clock(); }, look_ms,
      look_ms);
  if (impl_->certificate) {
    uv_timer_start(
        &impl_->certificate_clock,
        [](uv_timer_t* t) { static_cast<Impl*>(t->data)->certificate->look(); },
        certificate_look_ms, certificate_look_ms);
  }
  uv_check_start(&impl_->turn, [](uv_check_t* c) {
    auto& self = *static_cast<Impl*>(c->data);
    self.welcomed = 0;
    if (self.deferred && !self.stopping) self.welcome();
  });
  uv_run(&impl_->loop, UV_RUN_DEFAULT);
  for (const auto& [key, connection] : impl_->connections) connection->close();
}

void Server::drain() { impl_->draining = true; }

void Server::reload_tls() {
  impl_->reload_wanted = true;
  uv_async_send(&impl_->wake);
}

void Server::stop() {
  impl_->stop_wanted = true;
  uv_async_send(&impl_->wake);
}

}  // namespace millrace::http
