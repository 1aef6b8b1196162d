// The handlers of the paths. Enqueues are asynchronous; queries wait in a small pool of threads.
// Threads: handle() on the HTTP loop.
#pragma once

#include "gateway_metrics.h"
#include "http/server.h"
#include "options.h"
#include "paths.h"
#include "token_check.h"

#include <millrace/client.h>
#include <millrace/producer.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace::gateway {

class Routes {
 public:
  // Both outlive it.
  Routes(const Options& options, GatewayMetrics* metrics, const http::ServerCounters& connections);
  ~Routes();
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;

  void handle(const http::ExchangeRef& exchange);

 private:
  [[nodiscard]] bool refused(const http::ExchangeRef& exchange, wire::Verb verb,
                             std::string_view topic);
  [[nodiscard]] http::Response watched(Path::To page);
  void enqueue(const http::ExchangeRef& exchange, const std::string& topic);
  void look(const http::ExchangeRef& exchange, const JobId& id);
  void cancel(const http::ExchangeRef& exchange, const JobId& id);
  void ask(const http::ExchangeRef& exchange, std::function<http::Response()> question);
  void work();

  GatewayMetrics& metrics_;
  const http::ServerCounters& connections_;
  const std::size_t body_bytes_max_;
  TokenCheck token_check_;
  Producer producer_;
  Client client_;
  std::mutex mutex_;  // guards questions_ and closed_
  std::condition_variable changed_;
  std::deque<std::pair<http::ExchangeRef, std::function<http::Response()>>> questions_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::gateway
