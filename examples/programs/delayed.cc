// Enqueues a job for later and asks why it does not run yet.
#include <millrace/client.h>
#include <millrace/producer.h>

#include <cstdio>

int main() {
  using namespace std::chrono_literals;
  millrace::Producer producer;
  const auto outcome =
      producer.enqueue({.topic = "reminders", .payload = "water the plants", .delay = 1h});
  if (outcome.outcome != millrace::Outcome::stored) return 1;
  millrace::Client client;
  const auto why = client.explain(outcome.id);
  if (!why) return 1;
  std::printf("%s: %s\n", why->reason.c_str(), why->text.c_str());
  const auto cancelled = client.cancel(outcome.id);
  if (cancelled) std::printf("now %s\n", std::string(to_string(*cancelled)).c_str());
}
