// Enqueues one job and prints its id.
#include <millrace/producer.h>

#include <iostream>

int main() {
  millrace::Producer producer;
  const auto told = producer.enqueue({.topic = "greetings", .payload = "hello"});
  if (told.outcome != millrace::Outcome::stored) {
    std::cerr << told.error.message << '\n';
    return 1;
  }
  std::cout << "stored as " << told.id.str() << '\n';
}
