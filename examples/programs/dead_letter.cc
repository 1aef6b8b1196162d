// A job that cannot be done goes to the dead-letter queue; after the cause is fixed it is requeued.
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <iostream>

int main() {
  using namespace std::chrono_literals;
  millrace::Client client;
  if (!client.create_topic("invoices", {.history = true})) return 1;
  std::atomic<bool> fixed = false;
  millrace::Worker worker;
  worker.handle("invoices", [&](millrace::JobContext&) {
    return fixed ? millrace::done("sent") : millrace::discard("the customer has no address");
  });
  worker.start();
  const auto id = millrace::Producer().enqueue({.topic = "invoices", .payload = "4711"}).id;
  if (const auto job = client.wait(id, 30s)) std::cout << "dead: " << job->error << '\n';
  fixed = true;
  if (const auto sum = client.requeue_dead({.ids = {id}})) std::cout << "requeued " << *sum << '\n';
  if (const auto job = client.wait(id, 30s)) std::cout << "completed: " << job->result << '\n';
}
