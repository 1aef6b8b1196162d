// Handles greetings until SIGTERM or SIGINT, then drains.
#include <millrace/worker.h>

#include <csignal>
#include <cstdio>

int main() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  millrace::Worker worker({.concurrency = 2});
  worker.handle("greetings", [](millrace::JobContext& job) {
    std::printf("%s says %.*s\n", job.id().str().c_str(), static_cast<int>(job.payload().size()),
                job.payload().data());
    std::fflush(stdout);
    return millrace::done();
  });
  worker.start();
  int signal = 0;
  sigwait(&signals, &signal);
  return worker.stop() ? 0 : 1;
}
