// Requests a second at an HTTP port, in the clear or by TLS: each connection in a thread of its
// own, one request after the other, or a new connection for each.
//   bench_http ask port=8080 connections=8 requests=20000 payload=256
//   bench_http ask ... authority=FILE    by TLS, to a server that this authority has signed
//   bench_http ask ... reconnect=1       a connection, and by TLS a handshake, for each request
// payload=0 asks /healthz; more enqueues jobs of so many bytes in topic bench.
#include "options.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>

namespace {

using millrace::bench::give_up;
using millrace::bench::Options;

struct Free {
  void operator()(SSL* session) const { SSL_free(session); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, Free>;

struct Plan {
  std::uint16_t port = 0;
  std::uint64_t requests = 0;  // of one connection
  bool reconnect = false;
  std::string request;
  Context tls;  // null: in the clear
};

class Client {
 public:
  explicit Client(const Plan& plan) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(plan.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      give_up("nothing listens on port " + std::to_string(plan.port));
    }
    if (!plan.tls) return;
    session_.reset(SSL_new(plan.tls.get()));
    SSL_set_fd(session_.get(), socket_);
    if (SSL_connect(session_.get()) != 1) give_up("the TLS handshake failed");
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void ask(const std::string& request) {
    send_all(request);
    std::string got;
    std::size_t whole = std::string::npos;
    while (got.size() < whole) {
      receive(&got);
      if (const auto end = got.find("\r\n\r\n"); end != std::string::npos) {
        whole = end + 4 + std::stoull(got.substr(got.find("Content-Length: ") + 16));
      }
    }
    if (got.compare(0, 10, "HTTP/1.1 2") != 0) give_up("the answer was " + got);
  }

 private:
  void send_all(const std::string& bytes) {
    std::size_t count = 0;
    const bool sent = session_
                          ? SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &count) == 1
                          : send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                                static_cast<ssize_t>(bytes.size());
    if (!sent) give_up("the connection ended");
  }
  void receive(std::string* to) {
    char piece[16'384];
    std::size_t count = 0;
    if (session_) {
      if (SSL_read_ex(session_.get(), piece, sizeof piece, &count) != 1) count = 0;
    } else if (const ssize_t got = recv(socket_, piece, sizeof piece, 0); got > 0) {
      count = static_cast<std::size_t>(got);
    }
    if (count == 0) give_up("the connection ended");
    to->append(piece, count);
  }

  int socket_ = -1;
  std::unique_ptr<SSL, Free> session_;
};

void ask_all(const Plan& plan) {
  auto client = std::make_unique<Client>(plan);
  for (std::uint64_t i = 0; i < plan.requests; ++i) {
    if (plan.reconnect && i > 0) {
      client.reset();
      client = std::make_unique<Client>(plan);
    }
    client->ask(plan.request);
  }
}

std::string request_text(std::uint64_t payload) {
  if (payload == 0) return "GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n";
  const std::string body = R"({"payload":")" + std::string(payload, 'x') + "\"}";
  return "POST /v1/topics/bench/jobs HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

Context tls_of(const std::string& authority) {
  if (authority.empty()) return nullptr;
  Context context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(context.get(), authority.c_str(), nullptr) != 1) {
    give_up("no certificate of an authority is in " + authority);
  }
  return context;
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  const Options options(count, arguments,
                        {"port", "connections", "requests", "payload", "authority", "reconnect"});
  if (options.mode() != "ask") millrace::bench::wrong_usage("the mode is ask");
  const std::uint64_t connections = options.number("connections", 8);
  Plan plan{.port = static_cast<std::uint16_t>(options.number("port")),
            .requests = options.number("requests", 20'000) / connections,
            .reconnect = options.number("reconnect") != 0,
            .request = request_text(options.number("payload")),
            .tls = tls_of(options.text("authority"))};
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < connections; ++i) threads.emplace_back([&] { ask_all(plan); });
  for (auto& thread : threads) thread.join();
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  const auto asked = static_cast<double>(plan.requests * connections);
  std::printf("{\"requests\": %.0f, \"seconds\": %.3f, \"requests_s\": %.0f}\n", asked,
              spent.count(), asked / spent.count());
  return 0;
}
