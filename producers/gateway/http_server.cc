// libmicrohttpd with its epoll descriptor inside a libuv loop. A request is suspended while its
// answer is made elsewhere, and resumed on the loop.
#include "http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <unistd.h>
#include <uv.h>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>

namespace millrace::gateway {
namespace {

// A body a little too large is read and dropped, so that its sender hears why; beyond this many
// times the bound the connection is closed on it.
constexpr std::size_t dropped_times_max = 16;
constexpr std::size_t connection_bytes = 8U << 10;
constexpr std::uint64_t stop_patience_ms = 10'000;

bool says_too_much(MHD_Connection* connection, std::size_t max) {
  const char* text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
  if (text == nullptr) return false;
  const std::string_view digits(text);
  std::uint64_t value = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return wrong == std::errc::result_out_of_range || value > max;
}

MHD_Result queue(MHD_Connection* connection, const Answer& answer, bool close) {
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  MHD_add_response_header(response, "Content-Type", answer.type.c_str());
  for (const auto& [name, value] : answer.headers) {
    MHD_add_response_header(response, name.c_str(), value.c_str());
  }
  if (close) MHD_add_response_header(response, "Connection", "close");
  const auto result =
      MHD_queue_response(connection, static_cast<unsigned>(answer.status), response);
  MHD_destroy_response(response);
  return result;
}

}  // namespace

struct HttpServer::Impl {
  struct Call;

  Impl(HttpOptions o, Handler h) : options(std::move(o)), handler(std::move(h)) {}

  static MHD_Result on_request(void* context, MHD_Connection* connection, const char* url,
                               const char* method, const char* version, const char* data,
                               std::size_t* size, void** state);
  static void on_completed(void* context, MHD_Connection* connection, void** state,
                           MHD_RequestTerminationCode code);
  void resume_answered();
  void begin_stop();
  void end_if_idle();
  void close_handles();

  HttpOptions options;
  Handler handler;
  MHD_Daemon* daemon = nullptr;
  uv_loop_t loop{};
  uv_poll_t poll{};
  uv_prepare_t prepare{};
  uv_idle_t idle{};
  uv_timer_t last{};
  uv_async_t wake{};
  std::atomic<bool> stop_wanted{false};
  bool stopping = false;
  std::size_t open = 0;  // requests between their first byte and their end
  std::mutex mutex;      // guards answered
  std::vector<std::shared_ptr<Call>> answered;
};

struct HttpServer::Impl::Call : Exchange, std::enable_shared_from_this<Call> {
  Call(Impl& s, MHD_Connection* c) : server(s), connection(c) {}
  void answer(Answer given) override {
    const std::lock_guard lock(server.mutex);
    if (std::exchange(given_, true)) return;
    reply = std::move(given);
    server.answered.push_back(shared_from_this());
    uv_async_send(&server.wake);
  }
  Impl& server;
  MHD_Connection* connection;
  bool too_large = false, handed_over = false;
  Answer reply;

 private:
  bool given_ = false;
};

MHD_Result HttpServer::Impl::on_request(void* context, MHD_Connection* connection, const char* url,
                                        const char* method, const char* /*version*/,
                                        const char* data, std::size_t* size, void** state) {
  Impl& self = *static_cast<Impl*>(context);
  if (*state == nullptr) {
    auto call = std::make_shared<Call>(self, connection);
    call->method = method;
    call->path = url;
    const char* type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
    call->content_type = type == nullptr ? "" : type;
    *state = new std::shared_ptr<Call>(call);
    ++self.open;
    // Before a byte of it is read.
    if (says_too_much(connection, self.options.body_bytes_max * dropped_times_max)) {
      return queue(connection, self.options.too_large(), true);
    }
    return MHD_YES;
  }
  Call& call = **static_cast<std::shared_ptr<Call>*>(*state);
  if (*size > 0) {
    call.too_large = call.too_large || call.body.size() + *size > self.options.body_bytes_max;
    if (!call.too_large) call.body.append(data, *size);
    *size = 0;
    return MHD_YES;
  }
  if (call.too_large) return queue(connection, self.options.too_large(), true);
  if (call.handed_over) return queue(connection, call.reply, self.stopping);
  call.handed_over = true;
  MHD_suspend_connection(connection);
  self.handler(call.shared_from_this());
  return MHD_YES;
}

void HttpServer::Impl::on_completed(void* context, MHD_Connection* /*connection*/, void** state,
                                    MHD_RequestTerminationCode /*code*/) {
  if (*state == nullptr) return;
  Impl& self = *static_cast<Impl*>(context);
  delete static_cast<std::shared_ptr<Call>*>(*state);
  *state = nullptr;
  --self.open;
}

void HttpServer::Impl::resume_answered() {
  std::vector<std::shared_ptr<Call>> all;
  {
    const std::lock_guard lock(mutex);
    all.swap(answered);
  }
  for (const auto& call : all) MHD_resume_connection(call->connection);
  MHD_run(daemon);
  if (stop_wanted && !stopping) begin_stop();
  end_if_idle();
}

void HttpServer::Impl::begin_stop() {
  stopping = true;
  const int listener = MHD_quiesce_daemon(daemon);
  if (listener >= 0) ::close(listener);
  uv_timer_start(
      &last, [](uv_timer_t* t) { uv_stop(t->loop); }, stop_patience_ms, 0);
}

void HttpServer::Impl::end_if_idle() {
  if (stopping && open == 0) uv_stop(&loop);
}

void HttpServer::Impl::close_handles() {
  uv_walk(
      &loop,
      [](uv_handle_t* handle, void*) {
        if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
      },
      nullptr);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
}

HttpServer::HttpServer(HttpOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {
  Impl& s = *impl_;
  uv_loop_init(&s.loop);
  uv_async_init(&s.loop, &s.wake,
                [](uv_async_t* a) { static_cast<Impl*>(a->data)->resume_answered(); });
  uv_timer_init(&s.loop, &s.last);
  uv_prepare_init(&s.loop, &s.prepare);
  uv_idle_init(&s.loop, &s.idle);
  s.wake.data = s.prepare.data = s.idle.data = s.poll.data = &s;
}

HttpServer::~HttpServer() {
  if (impl_->daemon != nullptr) {
    impl_->resume_answered();
    MHD_stop_daemon(impl_->daemon);
  }
  impl_->close_handles();
}

std::string HttpServer::listen() {
  Impl& s = *impl_;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(s.options.port);
  inet_pton(AF_INET, s.options.host.c_str(), &address.sin_addr);
  s.daemon = MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, s.options.port, nullptr, nullptr, &Impl::on_request,
      &s, MHD_OPTION_SOCK_ADDR, reinterpret_cast<sockaddr*>(&address), MHD_OPTION_CONNECTION_LIMIT,
      s.options.connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_bytes,
      MHD_OPTION_CONNECTION_TIMEOUT, s.options.silence_s_max, MHD_OPTION_NOTIFY_COMPLETED,
      &Impl::on_completed, &s, MHD_OPTION_END);
  if (s.daemon == nullptr) {
    return "listening on " + s.options.host + ":" + std::to_string(s.options.port) + ": " +
           std::strerror(errno) + "; another program may use it: stop that, or name another port";
  }
  uv_poll_init(&s.loop, &s.poll, MHD_get_daemon_info(s.daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
  uv_poll_start(&s.poll, UV_READABLE, [](uv_poll_t* p, int, int) {
    MHD_run(static_cast<Impl*>(p->data)->daemon);
    static_cast<Impl*>(p->data)->end_if_idle();
  });
  // The library may have more to do at once, or a connection to give up later.
  uv_prepare_start(&s.prepare, [](uv_prepare_t* p) {
    Impl& self = *static_cast<Impl*>(p->data);
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    const bool at_once = MHD_get_timeout(self.daemon, &wait_ms) == MHD_YES && wait_ms == 0;
    if (at_once) {
      uv_idle_start(&self.idle, [](uv_idle_t* i) { MHD_run(static_cast<Impl*>(i->data)->daemon); });
    } else {
      uv_idle_stop(&self.idle);
    }
  });
  return {};
}

void HttpServer::run() {
  // Silent connections end though no event comes.
  uv_timer_t sweep;
  uv_timer_init(&impl_->loop, &sweep);
  sweep.data = impl_.get();
  uv_timer_start(
      &sweep,
      [](uv_timer_t* t) {
        MHD_run(static_cast<Impl*>(t->data)->daemon);
        static_cast<Impl*>(t->data)->end_if_idle();
      },
      500, 500);
  uv_run(&impl_->loop, UV_RUN_DEFAULT);
  uv_close(reinterpret_cast<uv_handle_t*>(&sweep), nullptr);
  uv_run(&impl_->loop, UV_RUN_NOWAIT);
}

void HttpServer::stop() {
  impl_->stop_wanted = true;
  uv_async_send(&impl_->wake);
}

}  // namespace millrace::gateway
