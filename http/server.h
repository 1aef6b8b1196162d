// The door of this room: an HTTP/1.1 server on one libuv loop, in the clear or by TLS; whole
// requests in, responses from any thread. It knows nothing of jobs and brokers. Bounds:
// connections, the bytes of a request (request.h), the patience with a client at each step. What
// passes them is answered here and never reaches a handler. A connection that has not sent a
// request yet gives way to a newcomer when all are in use, so silence locks nobody out.
// Threads: the handler runs on the loop's thread and must not block; Exchange::answer from any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::http {

struct Address {
  std::string host;        // 127.0.0.1 or ::1, by its number
  std::uint16_t port = 0;  // 0: a free one
};
// Of 127.0.0.1:8080 or [::1]:8080; nothing where it is neither.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);
[[nodiscard]] std::string to_string(const Address& address);  // as it is parsed
[[nodiscard]] bool is_loopback(const Address& address);

// The addresses of one network.
struct Network {
  std::array<std::uint8_t, 16> address{};  // IPv4 as ::ffff:a.b.c.d
  std::size_t bits = 0;                    // of the 128
};
// Of 10.0.0.0/8, fd00::/8, or one address; nothing where it is none, or has bits after the prefix.
[[nodiscard]] std::optional<Network> parse_network(std::string_view text);

// Of a certificate with those of its issuers after it, and of its private key, both in PEM.
struct TlsFiles {
  std::string certificate, key;
};
// Empty where a server can use them, else a sentence.
[[nodiscard]] std::string wrong_with(const TlsFiles& files);

// Names and values of headers, without regard to case.
[[nodiscard]] bool same_word(std::string_view a, std::string_view b);
[[nodiscard]] const char* reason_of(int status);  // "Not Found"

struct Response {
  int status = 200;
  std::string type = "application/json", body;
  std::vector<std::pair<std::string, std::string>> headers;
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  std::string method, path, content_type, content_encoding, body;
  std::string authorization;  // the value of that header
  std::string client;         // its address by its number: the peer's, or what a proxy says
  bool secure = false;        // it came by TLS, to the proxy where there is one
  // Once; later calls do nothing.
  virtual void answer(Response response) = 0;
};
using ExchangeRef = std::shared_ptr<Exchange>;

struct ServerOptions {
  Address address;
  std::optional<TlsFiles> tls;  // HTTPS, and nothing else at this port
  // X-Forwarded-For and X-Forwarded-Proto count where they come from one of these.
  std::vector<Network> trusted_proxies;
  unsigned connections_max = 0;
  // With a client that is silent in the middle of a request; a whole head has 5 s at the most.
  std::chrono::milliseconds patience{5'000};
  // For a whole request, and for a whole response, however they trickle.
  std::chrono::milliseconds message_patience{60'000};
  std::chrono::milliseconds keep_alive{75'000};     // an unused connection after its last response
  std::chrono::milliseconds stop_patience{10'000};  // for what is open at stop()
  // Whether a connection between two requests gives way too. Not behind proxies, which may send the
  // next request at that moment.
  bool idle_gives_way = false;
  std::size_t body_bytes_max = 0;
  std::size_t bodies_bytes_max = 0;  // of all requests that are open; small ones pass it
  // The response to a request that is refused here, with a sentence for people.
  std::function<Response(int status, const std::string& why)> refusal;
  // All connections are in use and a newcomer was refused; they are not any more. On the loop's
  // thread; may be empty.
  std::function<void(bool full)> on_full;
  // The certificate was read, or a new one cannot be used. On the thread of listen() and on the
  // loop's; may be empty, as the next one.
  std::function<void(bool well, const std::string& what)> on_certificate;
  // A request of the handler's was answered. On the loop's thread.
  std::function<void(const Exchange&, int status)> on_answer;
};

// What a server has counted. Threads: any.
struct ServerCounters {
  std::array<std::atomic<std::uint64_t>, 600> responses{};                       // by status
  std::atomic<std::uint64_t> accepted{0}, refused{0}, displaced{0}, expired{0};  // connections
  std::atomic<std::uint64_t> handshakes_failed{0};
  std::atomic<std::uint64_t> connections{0}, connections_max{0}, body_bytes{0};
  std::atomic<bool> full{false};
};

class Server {
 public:
  using Handler = std::function<void(const ExchangeRef&)>;
  Server(ServerOptions options, Handler handler);
  ~Server();  // no exchange may be answered any more
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Empty when well, else why not.
  [[nodiscard]] std::string listen();
  [[nodiscard]] const Address& address() const;  // once it listens, with the port that was free
  [[nodiscard]] const ServerCounters& counters() const;
  // Until stop(), and what was open then is answered. The thread that calls it takes no SIGPIPE any
  // more, for libuv's writes would raise it.
  void run();
  void drain();  // from any thread: each response is the last of its connection
  // From any thread: reads the certificate again now. The server looks at its files every second.
  void reload_tls();
  void stop();  // from any thread, also before run()

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::http
