// The outcomes of the jobs of one request, and the HTTP answer made from them. Threads: the
// producer's.
#pragma once

#include "http_server.h"

#include <millrace/producer.h>

#include <atomic>
#include <vector>

namespace millrace::gateway {

class BatchAnswer {
 public:
  BatchAnswer(ExchangeRef exchange, std::size_t jobs, bool array, GatewayMetrics* metrics);
  void add(std::size_t i, const Enqueued& outcome);  // the last one answers

 private:
  [[nodiscard]] Answer answer() const;

  ExchangeRef exchange_;
  std::vector<Enqueued> outcomes_;
  std::atomic<std::size_t> left_;
  const bool array_;
  GatewayMetrics& metrics_;
};

}  // namespace millrace::gateway
