// Enqueues a job for later, asks why it does not run yet, and cancels it.
#include <millrace/client.h>
#include <millrace/producer.h>

#include <iostream>

int main() {
  using namespace std::chrono_literals;
  millrace::Producer producer;
  const auto told =
      producer.enqueue({.topic = "reminders", .payload = "water the plants", .delay = 1h});
  if (told.outcome != millrace::Outcome::stored) {
    std::cerr << told.error.message << '\n';
    return 1;
  }
  millrace::Client client;
  const auto why = client.explain(told.id);
  if (why) std::cout << why->reason << ": " << why->text << '\n';
  const auto state = client.cancel(told.id);
  if (state) std::cout << "now " << to_string(*state) << '\n';
}
