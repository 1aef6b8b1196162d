// Enqueues one job and prints its id.
#include <millrace/producer.h>

#include <cstdio>

int main() {
  millrace::Producer producer;
  const auto outcome = producer.enqueue({.topic = "greetings", .payload = "hello"});
  if (outcome.outcome != millrace::Outcome::stored) {
    std::fprintf(stderr, "%s\n", outcome.error.message.c_str());
    return 1;
  }
  std::printf("stored as %s\n", outcome.id.str().c_str());
}
