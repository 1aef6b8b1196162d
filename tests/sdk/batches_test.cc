// The batches of a producer whose jobs were queued before it had reached a broker.
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/producer.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

namespace millrace::testing {
namespace {

constexpr std::uint16_t partitions = 4;

std::string key_of(std::uint16_t partition, int number) {
  for (int i = 0;; ++i) {
    std::string key = "key-" + std::to_string(number) + "-" + std::to_string(i);
    if (wire::partition_of(key, partitions) == partition) return key;
  }
}

struct Seen {
  std::uint64_t partition = 0, number = 0, answered = 0;
  std::vector<std::string> payloads;
};

class Batches : public ::testing::Test {
 protected:
  void submit(std::string payload, std::string key) {
    producer.enqueue_async({.topic = "t", .payload = std::move(payload), .key = std::move(key)},
                           [this](const Enqueued& answer) {
                             if (answer.outcome == Outcome::stored) ++stored;
                           });
  }
  Seen next() {
    const std::string body = broker.expect(wire::Verb::enqueue);
    const auto batch = wire::decode<wire::Enqueue>(body);
    if (!batch) throw std::runtime_error(batch.error().message);
    Seen seen{batch->partition, batch->batch, batch->answered, {}};
    for (const auto& job : batch->jobs) seen.payloads.emplace_back(job.payload);
    broker.answer(wire::EnqueueOk{.first_seq = 1, .count = batch->jobs.size()});
    return seen;
  }

  ScriptedBroker broker;
  std::atomic<int> stored = 0;
  Producer producer{{.connection = {.brokers = {broker.endpoint}}}};
};

TEST_F(Batches, JobsOfAPartitionShareOneInOrderWhateverCameBetweenThem) {
  constexpr int rounds = 20;
  for (int i = 0; i < rounds; ++i) {
    for (std::uint16_t p = 0; p < partitions; ++p) {
      submit(std::to_string(i), key_of(p, i % 3));  // several keys of a partition
    }
    submit(std::to_string(i), "");
  }
  broker.welcome(partitions);
  std::vector<std::string> in_order;
  in_order.reserve(rounds);
  for (int i = 0; i < rounds; ++i) in_order.push_back(std::to_string(i));
  std::vector<std::uint64_t> seen_partitions;
  for (int i = 0; i <= partitions; ++i) {
    const Seen batch = next();
    EXPECT_EQ(batch.payloads, in_order) << "partition " << batch.partition;
    seen_partitions.push_back(batch.partition);
  }
  EXPECT_TRUE(producer.flush(std::chrono::seconds(60)));
  EXPECT_EQ(stored, rounds * (partitions + 1));
  // Each has its batch, and one of them that of the jobs without a key too.
  std::sort(seen_partitions.begin(), seen_partitions.end());
  seen_partitions.erase(std::unique(seen_partitions.begin(), seen_partitions.end()),
                        seen_partitions.end());
  EXPECT_EQ(seen_partitions.size(), partitions);
}

}  // namespace
}  // namespace millrace::testing
