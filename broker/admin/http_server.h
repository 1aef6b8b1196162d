// A small HTTP server for machines that watch the broker: GET and HEAD, one page a path, in a
// thread and a loop of its own, so that a slow reader costs the shards nothing.
// Threads: start and the destructor on the owner's; the page function is called on the server's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace millrace::admin {

struct Page {
  unsigned status = 404;
  std::string type = "text/plain; charset=utf-8";
  std::string body = "there are: /metrics /healthz /readyz\n";
};
using Pages = std::function<Page(const std::string& path)>;

class HttpServer {
 public:
  // address: 127.0.0.1:PORT or [::1]:PORT, checked by the configuration; port 0: a free one.
  HttpServer(std::string address, Pages pages, unsigned connections_max);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Empty when it listens, else a sentence.
  [[nodiscard]] std::string start();
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace millrace::admin
