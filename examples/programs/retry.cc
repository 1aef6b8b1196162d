// A handler that fails twice and succeeds on its third attempt.
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <iostream>

int main() {
  using namespace std::chrono_literals;
  millrace::Client client;
  if (!client.create_topic("flaky", {.history = true})) return 1;
  millrace::Worker worker;
  worker.handle("flaky", [](millrace::JobContext& job) {
    std::cout << "attempt " << job.attempt() << '\n';
    if (job.attempt() < 3) return millrace::retry("the other side is busy", 50ms);
    return millrace::done("worked at last");
  });
  worker.start();
  millrace::Producer producer;
  const auto told = producer.enqueue({.topic = "flaky", .payload = "x"});
  const auto job = client.wait(told.id, 30s);
  if (job) std::cout << to_string(job->state) << ": " << job->result << '\n';
}
