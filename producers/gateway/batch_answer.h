// The outcomes of the jobs of one request, and the HTTP answer made from them. Threads: the
// producer's.
#pragma once

#include "gateway_metrics.h"
#include "http/server.h"

#include <millrace/producer.h>

#include <atomic>
#include <vector>

namespace millrace::gateway {

class BatchAnswer {
 public:
  BatchAnswer(http::ExchangeRef exchange, std::size_t jobs, bool array, GatewayMetrics* metrics);
  void add(std::size_t i, const Enqueued& outcome);  // the last one answers

 private:
  [[nodiscard]] http::Response answer() const;

  http::ExchangeRef exchange_;
  std::vector<Enqueued> outcomes_;
  std::atomic<std::size_t> left_;
  const bool array_;
  GatewayMetrics& metrics_;
};

}  // namespace millrace::gateway
