// The handlers of the paths. Enqueues are asynchronous; queries wait in a small pool of threads.
// Threads: handle() on the HTTP loop.
#pragma once

#include "http_server.h"
#include "options.h"
#include "paths.h"

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
  Routes(const Options& options, GatewayMetrics* metrics);
  ~Routes();
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;

  void handle(const ExchangeRef& exchange);

 private:
  [[nodiscard]] Answer watched(Path::To page);
  void enqueue(const ExchangeRef& exchange, const std::string& topic);
  void look(const ExchangeRef& exchange, const JobId& id);
  void cancel(const ExchangeRef& exchange, const JobId& id);
  void ask(const ExchangeRef& exchange, std::function<Answer()> question);
  void work();

  GatewayMetrics& metrics_;
  const std::size_t body_bytes_max_;
  Producer producer_;
  Client client_;
  std::mutex mutex_;  // guards questions_ and closed_
  std::condition_variable changed_;
  std::deque<std::pair<ExchangeRef, std::function<Answer()>>> questions_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::gateway
