// millrace-worker: runs a command for each job until SIGTERM, then drains.
#include "command.h"
#include "options.h"

#include <millrace/worker.h>

#include <systemd/sd-daemon.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>

namespace {

constexpr int exit_untold = 1, exit_usage = 64;
constexpr auto alive_within = std::chrono::seconds(2);

// READY once the first broker answered, WATCHDOG only while the session's own loop turns.
class Supervisor {
 public:
  void look(const millrace::Worker& worker) {
    if (!ready_ && worker.connected()) {
      ready_ = true;
      std::fprintf(stderr, "millrace-worker: connected\n");
      sd_notify(0, "READY=1");
    }
    if (std::chrono::steady_clock::now() - worker.last_alive() < alive_within) {
      sd_notify(0, "WATCHDOG=1");
    }
  }

 private:
  bool ready_ = false;
};

void wait_for_end(const sigset_t& signals, const millrace::Worker& worker) {
  Supervisor supervisor;
  const timespec tick{0, 250'000'000};
  while (sigtimedwait(&signals, nullptr, &tick) < 0) supervisor.look(worker);
}

}  // namespace

int main(int count, char** arguments) {
  auto [options, error] = millrace::workers::read_options(count, arguments);
  if (!error.empty()) {
    std::fprintf(stderr, "millrace-worker: %s\n", error.c_str());
    return exit_usage;
  }
  if (options.help || options.version) {
    std::fputs(options.help ? millrace::workers::usage() : "millrace-worker " MILLRACE_VERSION "\n",
               stdout);
    return 0;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  millrace::Worker worker(options.worker);
  for (const auto& topic : options.topics) {
    worker.handle(topic, [&command = options.command](millrace::JobContext& job) {
      return millrace::workers::run_command(command, job);
    });
  }
  worker.start();
  wait_for_end(signals, worker);
  sd_notify(0, "STOPPING=1");
  std::fprintf(stderr, "millrace-worker: draining\n");
  const bool told = worker.stop();
  const auto counts = worker.counts();
  std::fprintf(stderr,
               "millrace-worker: stopped; completed %llu, retried %llu, discarded %llu, "
               "handed back %llu, lost %llu\n",
               static_cast<unsigned long long>(counts.completed),
               static_cast<unsigned long long>(counts.retried),
               static_cast<unsigned long long>(counts.discarded),
               static_cast<unsigned long long>(counts.released),
               static_cast<unsigned long long>(counts.lost));
  return told ? 0 : exit_untold;
}
