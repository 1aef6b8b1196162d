#include "admin/http_server.h"

#include "admin/http_visitors.h"
#include "net/connection_limiter.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <strings.h>
#include <uv.h>
#include <charconv>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

namespace millrace::admin {
namespace {

constexpr unsigned idle_s_max = 5;
constexpr std::size_t body_bytes_max = 64U << 10U;  // it means nothing here and is dropped
constexpr std::size_t connection_bytes_max = 8U << 10U;
constexpr std::uint64_t housekeeping_ms = 1'000;  // idle connections are closed in this step

union Address {
  sockaddr any;
  sockaddr_in four;
  sockaddr_in6 six;
};

Address parse(const std::string& text) {
  Address address{};
  std::uint16_t port = 0;
  const auto colon = text.rfind(':');
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  if (text.front() == '[') {
    address.six.sin6_family = AF_INET6;
    address.six.sin6_port = htons(port);
    address.six.sin6_addr = in6addr_loopback;
  } else {
    address.four.sin_family = AF_INET;
    address.four.sin_port = htons(port);
    inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.four.sin_addr);
  }
  return address;
}

enum class Then { keep, close };

MHD_Result reply(MHD_Connection* connection, const Page& page, Then then = Then::keep) {
  MHD_Response* response = MHD_create_response_from_buffer(
      page.body.size(), const_cast<char*>(page.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page.type.c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (page.status == 405) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  if (then == Then::close) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  }
  const MHD_Result queued = MHD_queue_response(connection, page.status, response);
  MHD_destroy_response(response);
  return queued;
}

// What the answers are made from.
struct Desk {
  Pages pages;
  HttpVisitors visitors;
};

void on_change(void* visitors, MHD_Connection* connection, void** context,
               MHD_ConnectionNotificationCode kind) {
  HttpVisitors::on_change(visitors, connection, context, static_cast<int>(kind));
}

// What the headers say of the request's end; the library takes the first of several.
struct Framing {
  unsigned hosts = 0, lengths = 0, codings = 0;
  bool chunked = true, digits = true, long_body = false, expectation = false, spaced = false;
};

bool same_word(const char* a, const char* b) { return strcasecmp(a, b) == 0; }

MHD_Result note_header(void* data, MHD_ValueKind /*kind*/, const char* name, const char* value) {
  auto& seen = *static_cast<Framing*>(data);
  const std::string_view text = value == nullptr ? "" : value;
  seen.spaced = seen.spaced || std::strpbrk(name, " \t") != nullptr;
  if (same_word(name, MHD_HTTP_HEADER_HOST)) ++seen.hosts;
  if (same_word(name, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
    ++seen.codings;
    seen.chunked = seen.chunked && value != nullptr && same_word(value, "chunked");
  }
  if (same_word(name, MHD_HTTP_HEADER_EXPECT)) {
    seen.expectation = value == nullptr || !same_word(value, "100-continue");
  }
  if (!same_word(name, MHD_HTTP_HEADER_CONTENT_LENGTH)) return MHD_YES;
  ++seen.lengths;
  std::uint64_t bytes = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  seen.digits = seen.digits && wrong == std::errc{} && end == text.data() + text.size();
  seen.long_body = seen.long_body || bytes > body_bytes_max;
  return MHD_YES;
}

// A request that two readers could understand in two ways is refused, and its connection closed.
Page in_doubt(MHD_Connection* connection, std::string_view version) {
  Framing seen;
  MHD_get_connection_values(connection, MHD_HEADER_KIND, &note_header, &seen);
  if (seen.spaced)
    return {.status = 400, .body = "the name of a header must not contain a space\n"};
  const bool hosted = version == "HTTP/1.1" ? seen.hosts == 1 : seen.hosts <= 1;
  if (!hosted) return {.status = 400, .body = "a request must have exactly one Host header\n"};
  if (seen.lengths > 1 || !seen.digits) {
    return {.status = 400, .body = "a request must have at most one Content-Length, in digits\n"};
  }
  if (seen.codings > 1 || !seen.chunked || (seen.codings == 1 && seen.lengths == 1)) {
    return {
        .status = 400,
        .body = "a request body must have either Content-Length or Transfer-Encoding: chunked\n"};
  }
  if (seen.expectation)
    return {.status = 417, .body = "unsupported Expect header: only 100-continue is supported\n"};
  if (seen.long_body) return {.status = 413, .body = "request bodies are not accepted here\n"};
  return {.status = 200};
}

// What http://HOST/path asks for, as proxies write it, is /path.
std::string_view path_of(std::string_view target) {
  const auto authority = target.find("://");
  if (target.starts_with('/') || authority == std::string_view::npos) return target;
  const auto path = target.find('/', authority + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

MHD_Result answer(void* desk_of_server, MHD_Connection* connection, const char* path,
                  const char* method, const char* version, const char* /*body*/,
                  std::size_t* body_bytes, void** seen) {
  static char mark;
  if (*seen == nullptr) {  // the headers alone; the answer waits for the end of the request
    *seen = &mark;
    const Page doubt = in_doubt(connection, version);
    if (doubt.status != 200) return reply(connection, doubt, Then::close);
    return MHD_YES;
  }
  if (*body_bytes != 0) {
    *body_bytes = 0;
    return MHD_YES;
  }
  auto& desk = *static_cast<Desk*>(desk_of_server);
  desk.visitors.asked(connection);
  const std::string_view asked(method);
  if (asked != "GET" && asked != "HEAD") {
    return reply(connection, {.status = 405, .body = "only GET and HEAD are allowed\n"});
  }
  return reply(connection, desk.pages(std::string(path_of(path))));
}

}  // namespace

struct HttpServer::Parts {
  Parts(std::string where, Pages pages, unsigned limit)
      : address(std::move(where)),
        connections_max(limit),
        desk{std::move(pages), HttpVisitors(limit)} {}

  std::string address;
  unsigned connections_max;
  Desk desk;
  MHD_Daemon* daemon = nullptr;
  uv_loop_t loop{};
  uv_poll_t poll{};
  uv_timer_t timer{};
  uv_prepare_t prepare{};
  uv_idle_t idle{};
  uv_async_t stop{};
  std::thread thread;

  static MHD_Daemon* daemon_of(void* data) { return static_cast<Parts*>(data)->daemon; }
  void watch();
  void run();
};

HttpServer::HttpServer(std::string address, Pages pages, unsigned connections_max)
    : parts_(std::make_unique<Parts>(std::move(address), std::move(pages), connections_max)) {}

HttpServer::~HttpServer() {
  if (parts_->daemon == nullptr) return;
  uv_async_send(&parts_->stop);
  parts_->thread.join();
  MHD_stop_daemon(parts_->daemon);
}

std::string HttpServer::start() {
  Address address = parse(parts_->address);
  const bool six = address.any.sa_family == AF_INET6;
  const unsigned flags = six ? MHD_USE_EPOLL | MHD_USE_IPv6 : MHD_USE_EPOLL;
  parts_->daemon = MHD_start_daemon(
      flags, 0, nullptr, nullptr, &answer, &parts_->desk, MHD_OPTION_SOCK_ADDR, &address.any,
      MHD_OPTION_CONNECTION_LIMIT, parts_->connections_max, MHD_OPTION_NOTIFY_CONNECTION,
      &on_change, &parts_->desk.visitors, MHD_OPTION_CONNECTION_TIMEOUT, idle_s_max,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_bytes_max, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_END);
  if (parts_->daemon == nullptr) {
    return "cannot listen on http://" + parts_->address + ": " + std::strerror(errno);
  }
  parts_->watch();
  parts_->thread = std::thread([this] { parts_->run(); });
  return {};
}

std::uint16_t HttpServer::port() const {
  return MHD_get_daemon_info(parts_->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void HttpServer::Parts::watch() {
  uv_loop_init(&loop);
  uv_poll_init(&loop, &poll, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
  uv_timer_init(&loop, &timer);
  uv_prepare_init(&loop, &prepare);
  uv_idle_init(&loop, &idle);
  uv_async_init(&loop, &stop, [](uv_async_t* a) { uv_stop(a->loop); });
  poll.data = timer.data = prepare.data = idle.data = this;
  uv_poll_start(&poll, UV_READABLE,
                [](uv_poll_t* p, int /*status*/, int /*events*/) { MHD_run(daemon_of(p->data)); });
  uv_timer_start(
      &timer, [](uv_timer_t* t) { MHD_run(daemon_of(t->data)); }, housekeeping_ms, housekeeping_ms);
  // What the library has read but not yet handled makes no descriptor ready: it is asked.
  uv_prepare_start(&prepare, [](uv_prepare_t* p) {
    auto* self = static_cast<Parts*>(p->data);
    MHD_UNSIGNED_LONG_LONG wait_ms = 1;
    const bool went = self->desk.visitors.went();
    if (went || (MHD_get_timeout(self->daemon, &wait_ms) == MHD_YES && wait_ms == 0)) {
      uv_idle_start(&self->idle, [](uv_idle_t* i) { MHD_run(daemon_of(i->data)); });
    } else {
      uv_idle_stop(&self->idle);
    }
  });
}

void HttpServer::Parts::run() {
  // Its connections are bounded by their own number, within the reserve of descriptors.
  const net::ConnectionLimiter::Exempt exempt;
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_walk(
      &loop, [](uv_handle_t* handle, void*) { uv_close(handle, nullptr); }, nullptr);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
}

}  // namespace millrace::admin
