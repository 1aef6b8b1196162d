// A handler that fails twice and succeeds on its third attempt.
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <cstdio>

int main() {
  using namespace std::chrono_literals;
  millrace::Client client;
  if (!client.create_topic("flaky", {.history = true})) return 1;
  millrace::Worker worker;
  worker.handle("flaky", [](millrace::JobContext& job) {
    std::printf("attempt %d\n", job.attempt());
    if (job.attempt() < 3) return millrace::retry("the other side is busy", 50ms);
    return millrace::done("worked at last");
  });
  worker.start();
  millrace::Producer producer;
  const auto outcome = producer.enqueue({.topic = "flaky", .payload = "x"});
  const auto job = client.wait(outcome.id, 30s);
  if (!job) return 1;
  std::printf("%s: %s\n", std::string(to_string(job->state)).c_str(), job->result.c_str());
}
