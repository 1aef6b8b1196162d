// Enqueues many jobs without waiting for each: bulk [COUNT].
#include <millrace/producer.h>

#include <atomic>
#include <cstdlib>
#include <iostream>

int main(int count, char** arguments) {
  using namespace std::chrono_literals;
  const long jobs = count > 1 ? std::strtol(arguments[1], nullptr, 10) : 10'000;
  std::atomic<long> stored = 0, failed = 0;
  const auto count_outcome = [&](const millrace::Enqueued& told) {
    ++(told.outcome == millrace::Outcome::stored ? stored : failed);
  };
  millrace::Producer producer;  // after what its callbacks use
  for (long i = 0; i < jobs; ++i) {
    // Returns at once; it waits only while too many are unanswered.
    producer.enqueue_async({.topic = "numbers", .payload = std::to_string(i)}, count_outcome);
  }
  if (!producer.flush(60s)) std::cerr << "not all were answered in time\n";
  std::cout << "stored " << stored << ", failed " << failed << '\n';
  return stored == jobs ? 0 : 1;
}
