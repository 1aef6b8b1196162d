// millrace-worker: runs a command for each job until SIGTERM, then drains.
#include "command.h"
#include "options.h"

#include <millrace/log_line.h>
#include <millrace/version.h>
#include <millrace/worker.h>

#include <systemd/sd-daemon.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>

namespace {

using millrace::LogLevel;

constexpr int exit_untold = 1, exit_usage = 64, exit_refused = 76;
constexpr auto alive_within = std::chrono::seconds(2);

void say(LogLevel level, std::string_view what) {
  millrace::write_log_line(level, "millrace-worker", what);
}

// READY once the first broker answered, WATCHDOG only while the session's own loop turns.
class Supervisor {
 public:
  void look(const millrace::Worker& worker) {
    if (!ready_ && worker.connected()) {
      ready_ = true;
      say(LogLevel::info, "connected to the broker");
      sd_notify(0, "READY=1");
    }
    if (std::chrono::steady_clock::now() - worker.last_alive() < alive_within) {
      sd_notify(0, "WATCHDOG=1");
    }
  }

 private:
  bool ready_ = false;
};

// Until a signal, or the broker has refused the topics.
void wait_for_end(const sigset_t& signals, const millrace::Worker& worker) {
  Supervisor supervisor;
  const timespec tick{0, 250'000'000};
  while (!worker.refused() && sigtimedwait(&signals, nullptr, &tick) < 0) supervisor.look(worker);
}

}  // namespace

int main(int count, char** arguments) {
  auto [options, error] = millrace::workers::read_options(count, arguments);
  if (!error.empty()) {
    say(LogLevel::error, error);
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

  options.worker.connection.log = [](LogLevel level, std::string_view what) {
    if (level >= LogLevel::warning) say(level, what);
  };
  millrace::Worker worker(options.worker);
  for (const auto& topic : options.topics) {
    worker.handle(topic, [&command = options.command](millrace::JobContext& job) {
      return millrace::workers::run_command(command, job);
    });
  }
  if (!worker.start()) return exit_usage;  // the log says why
  wait_for_end(signals, worker);
  sd_notify(0, "STOPPING=1");
  say(LogLevel::info, "draining: takes no new jobs and waits for the running ones");
  const bool told = worker.stop();
  const auto counts = worker.counts();
  say(told ? LogLevel::info : LogLevel::warning,
      "stopped: completed " + std::to_string(counts.completed) + ", retried " +
          std::to_string(counts.retried) + ", discarded " + std::to_string(counts.discarded) +
          ", released " + std::to_string(counts.released) + ", lost " +
          std::to_string(counts.lost));
  if (worker.refused()) return exit_refused;
  return told ? 0 : exit_untold;
}
