// A job that cannot be done goes to the dead-letter queue; after the cause is fixed it is requeued.
// Client, Worker and Producer share one connection.
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <cstdio>

int main() {
  using namespace std::chrono_literals;
  const auto connection = std::make_shared<millrace::Connection>();
  millrace::Client client({.shared_connection = connection});
  if (!client.create_topic("invoices", {.history = true})) return 1;
  std::atomic<bool> fixed{false};
  millrace::Worker worker({.shared_connection = connection});
  worker.handle("invoices", [&](millrace::JobContext&) {
    return fixed ? millrace::done("sent") : millrace::discard("the customer has no address");
  });
  worker.start();
  millrace::Producer producer({.shared_connection = connection});
  const auto outcome = producer.enqueue({.topic = "invoices", .payload = "4711"});
  auto job = client.wait(outcome.id, 30s);
  if (!job) return 1;
  std::printf("%s (%s): %s\n", std::string(to_string(job->state)).c_str(), job->dead_reason.c_str(),
              job->error.c_str());
  fixed = true;
  const auto requeued = client.requeue_dead({.topic = "invoices", .ids = {outcome.id}});
  if (!requeued) return 1;
  std::printf("requeued %llu\n", static_cast<unsigned long long>(*requeued));
  job = client.wait(outcome.id, 30s);
  if (job) std::printf("%s: %s\n", std::string(to_string(job->state)).c_str(), job->result.c_str());
}
