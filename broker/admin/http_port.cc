#include "admin/http_port.h"

#include "access/bearer.h"
#include "admin/pages.h"
#include "http/server.h"
#include "net/connection_limiter.h"
#include "runtime/clock.h"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

namespace millrace::admin {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t body_bytes_max = 64U << 10U;  // it means nothing here and is dropped

std::optional<http::TlsFiles> tls_of(const HttpSettings& settings) {
  if (settings.tls_cert_file.empty()) return std::nullopt;
  return http::TlsFiles{settings.tls_cert_file, settings.tls_key_file};
}

http::ServerOptions options_of(const HttpSettings& settings, unsigned connections_max) {
  http::ServerOptions options{
      .address = http::parse_address(settings.address).value_or(http::Address{}),
      .tls = tls_of(settings),
      .connections_max = connections_max,
      .patience = 5s,
      .message_patience = 10s,
      .keep_alive = 5s,
      .stop_patience = 1s,
      .idle_gives_way = true,  // so that no crowd locks a scraper out
      .body_bytes_max = body_bytes_max,
      .bodies_bytes_max = body_bytes_max * connections_max,
      .refusal = text_page,
      .on_certificate = settings.on_certificate};
  for (const auto& proxy : settings.trusted_proxies) {
    if (const auto network = http::parse_network(proxy)) {
      options.trusted_proxies.push_back(*network);
    }
  }
  if (settings.on_request) {
    options.on_answer = [line = settings.on_request](const http::Exchange& e, int status) {
      line(e.client + (e.secure ? " https " : " http ") + e.method + " " + e.path + " " +
           std::to_string(status));
    };
  }
  return options;
}

// The answer to a request whose token may not see metrics; nothing where it may.
std::optional<http::Response> refusal_of(const access::KeyRing* tokens,
                                         const http::Exchange& request) {
  if (tokens == nullptr || request.path == "/healthz" || request.path == "/readyz") {
    return std::nullopt;
  }
  const auto key =
      access::bearer_key(*tokens, request.authorization, runtime::read_clocks().wall_ms);
  if (!key) {
    http::Response page = text_page(401, key.error().message);
    page.headers.emplace_back("WWW-Authenticate", access::bearer_challenge);
    return page;
  }
  if (const auto allowed = access::check_access(**key, wire::Verb::status, {}); !allowed) {
    return text_page(403, allowed.error().message);
  }
  if (!access::covers_all(**key)) {
    return text_page(403, "metrics show every topic: the token's key needs topics = [\"*\"]");
  }
  return std::nullopt;
}

}  // namespace

struct HttpPort::Parts {
  Parts(const HttpSettings& settings, unsigned connections_max, Pages pages)
      : scheme(settings.tls_cert_file.empty() ? "http://" : "https://"),
        server(options_of(settings, connections_max),
               [made = std::move(pages), tokens = settings.tokens](const auto& exchange) {
                 auto refused = refusal_of(tokens, *exchange);
                 exchange->answer(refused ? std::move(*refused)
                                          : made(exchange->method, exchange->path));
               }) {}
  const std::string scheme;
  http::Server server;
  std::thread thread;
};

std::string wrong_with_certificate(const HttpSettings& settings) {
  const auto files = tls_of(settings);
  return files ? http::wrong_with(*files) : std::string();
}

HttpPort::HttpPort(const HttpSettings& settings, unsigned connections_max,
                   const ShardSnapshots& snapshots, Metrics& metrics)
    : parts_(std::make_unique<Parts>(settings, connections_max, pages(snapshots, metrics))) {}

HttpPort::~HttpPort() {
  if (!parts_->thread.joinable()) return;
  parts_->server.stop();
  parts_->thread.join();
}

std::string HttpPort::start() {
  if (const auto wrong = parts_->server.listen(); !wrong.empty()) {
    return "cannot listen on " + parts_->scheme + to_string(parts_->server.address()) + ": " +
           wrong;
  }
  parts_->thread = std::thread([&server = parts_->server] {
    // Its connections are bounded by their own number, within the reserve of descriptors.
    const net::ConnectionLimiter::Exempt exempt;
    server.run();
  });
  return {};
}

std::uint16_t HttpPort::port() const { return parts_->server.address().port; }

void HttpPort::reload_certificate() { parts_->server.reload_tls(); }

}  // namespace millrace::admin
