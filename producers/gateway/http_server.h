// HTTP/1.1 on one libuv loop: whole requests in, answers from any thread.
// Bounds: connections, the bytes of a request (http_request.h), the patience with a client at each
// step. What passes them is answered here and never reaches a handler. A connection that has not
// sent a request yet gives way to a newcomer when all are in use, so silence locks nobody out.
// Threads: the handler runs on the loop's thread and must not block; Exchange::answer from any.
#pragma once

#include "gateway_metrics.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace::gateway {

struct Answer {
  int status = 200;
  std::string type = "application/json", body;
  std::vector<std::pair<std::string, std::string>> headers;
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  std::string method, path, content_type, content_encoding, body;
  // Once; later calls do nothing.
  virtual void answer(Answer answer) = 0;
};
using ExchangeRef = std::shared_ptr<Exchange>;

struct HttpOptions {
  std::string host;
  std::uint16_t port = 0;  // 0: a free one
  unsigned connections_max = 0;
  // With a client that is silent in the middle of a request or of its answer.
  std::chrono::milliseconds patience{5'000};
  std::size_t body_bytes_max = 0;
  std::size_t bodies_bytes_max = 0;  // of all requests that are open; small ones pass it
  std::function<Answer(int status, const std::string& why)> refusal;
};

class HttpServer {
 public:
  using Handler = std::function<void(const ExchangeRef&)>;
  HttpServer(HttpOptions options, Handler handler, GatewayMetrics* metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Empty when well, else a sentence.
  [[nodiscard]] std::string listen();
  [[nodiscard]] std::uint16_t port() const;
  void run();    // until stop(), and what was open then is answered
  void drain();  // from any thread: each answer is the last of its connection
  void stop();   // from any thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::gateway
