// Enqueues many jobs without waiting for each: bulk [COUNT].
#include <millrace/producer.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int count, char** arguments) {
  const long jobs = count > 1 ? std::strtol(arguments[1], nullptr, 10) : 10'000;
  millrace::Producer producer;
  std::atomic<int> stored{0}, failed{0};
  for (long i = 0; i < jobs; ++i) {
    // Returns at once; waits only while too much is unanswered.
    producer.enqueue_async({.topic = "numbers", .payload = std::to_string(i)},
                           [&](const millrace::Enqueued& outcome) {
                             ++(outcome.outcome == millrace::Outcome::stored ? stored : failed);
                           });
  }
  if (!producer.flush(std::chrono::seconds(60))) std::puts("not all were answered in time");
  std::printf("stored %d, failed %d\n", stored.load(), failed.load());
  return stored == jobs ? 0 : 1;
}
