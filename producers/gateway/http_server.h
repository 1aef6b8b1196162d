// HTTP on one libuv loop: whole requests in, answers from any thread.
// Bounds: connections, 8 KiB of request line and headers a connection, body bytes, seconds of
// silence. What passes them is answered here (413, 431, 408 by closing) and never reaches a
// handler. Threads: the handler runs on the loop's thread and must not block; Exchange::answer from
// any.
#pragma once

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
  std::string method, path, content_type, body;
  // Once; later calls do nothing.
  virtual void answer(Answer answer) = 0;
};
using ExchangeRef = std::shared_ptr<Exchange>;

struct HttpOptions {
  std::string host;
  std::uint16_t port = 0;
  unsigned connections_max = 0, silence_s_max = 0;
  std::size_t body_bytes_max = 0;
  std::function<Answer()> too_large;
};

class HttpServer {
 public:
  using Handler = std::function<void(const ExchangeRef&)>;
  HttpServer(HttpOptions options, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Empty when well, else a sentence.
  [[nodiscard]] std::string listen();
  void run();   // until stop(), and what was open then is answered
  void stop();  // from any thread or a signal handler

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::gateway
