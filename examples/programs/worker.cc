// Handles greetings until SIGTERM or SIGINT, then ends what it has begun.
#include <millrace/worker.h>

#include <csignal>
#include <iostream>
#include <syncstream>

int main() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  millrace::Worker worker;
  worker.handle("greetings", [](millrace::JobContext& job) {
    std::osyncstream(std::cout) << job.id().str() << " says " << job.payload() << std::endl;
    return millrace::done();
  });
  worker.start();
  int signal = 0;
  sigwait(&signals, &signal);
  return worker.stop() ? 0 : 1;
}
