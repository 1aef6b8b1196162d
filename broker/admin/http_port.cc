#include "admin/http_port.h"

#include "admin/pages.h"
#include "http/server.h"
#include "net/connection_limiter.h"

#include <chrono>
#include <thread>

namespace millrace::admin {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t body_bytes_max = 64U << 10U;  // it means nothing here and is dropped

http::ServerOptions options_of(const std::string& address, unsigned connections_max) {
  return {.address = http::parse_address(address).value_or(http::Address{}),
          .connections_max = connections_max,
          .patience = 5s,
          .message_patience = 10s,
          .keep_alive = 5s,
          .stop_patience = 1s,
          .idle_gives_way = true,  // so that no crowd locks a scraper out
          .body_bytes_max = body_bytes_max,
          .bodies_bytes_max = body_bytes_max * connections_max,
          .refusal = text_page};
}

}  // namespace

struct HttpPort::Parts {
  Parts(const std::string& address, unsigned connections_max, Pages pages)
      : server(options_of(address, connections_max),
               [made = std::move(pages)](const http::ExchangeRef& exchange) {
                 exchange->answer(made(exchange->method, exchange->path));
               }) {}
  http::Server server;
  std::thread thread;
};

HttpPort::HttpPort(const std::string& address, unsigned connections_max,
                   const ShardSnapshots& snapshots, Metrics& metrics)
    : parts_(std::make_unique<Parts>(address, connections_max, pages(snapshots, metrics))) {}

HttpPort::~HttpPort() {
  if (!parts_->thread.joinable()) return;
  parts_->server.stop();
  parts_->thread.join();
}

std::string HttpPort::start() {
  if (const auto wrong = parts_->server.listen(); !wrong.empty()) {
    return "cannot listen on http://" + to_string(parts_->server.address()) + ": " + wrong;
  }
  parts_->thread = std::thread([&server = parts_->server] {
    // Its connections are bounded by their own number, within the reserve of descriptors.
    const net::ConnectionLimiter::Exempt exempt;
    server.run();
  });
  return {};
}

std::uint16_t HttpPort::port() const { return parts_->server.address().port; }

}  // namespace millrace::admin
