// millrace-gateway: HTTP and JSON in front of the producer SDK. Stateless: run as many as you like.
#include "descriptors.h"
#include "http_server.h"
#include "options.h"
#include "problem.h"
#include "routes.h"

#include <millrace/log_line.h>
#include <millrace/version.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

namespace {

using namespace millrace::gateway;
using millrace::LogLevel;

constexpr int exit_usage = 64, exit_limit = 71, exit_listen = 74;

void say(LogLevel level, const std::string& what) {
  millrace::write_log_line(level, "millrace-gateway", what);
}

// Serves on and says that it stops, until a load balancer has seen it or a second signal comes.
void drain(const sigset_t& signals, std::chrono::milliseconds span, HttpServer& server,
           GatewayMetrics& metrics) {
  if (span.count() == 0) return;
  metrics.draining = true;
  server.drain();
  say(LogLevel::info, "draining: stops in " + std::to_string(span.count()) + " ms");
  const auto seconds = std::chrono::floor<std::chrono::seconds>(span);
  const timespec patience{seconds.count(), std::chrono::nanoseconds(span - seconds).count()};
  sigtimedwait(&signals, nullptr, &patience);
}

}  // namespace

int main(int count, char** arguments) {
  const auto read = read_options(count, arguments);
  const auto& options = read.options;
  if (!read.error.empty()) {
    say(LogLevel::error, read.error);
    return exit_usage;
  }
  if (options.help || options.version) {
    std::fputs(options.help ? usage() : "millrace-gateway " MILLRACE_VERSION "\n", stdout);
    return 0;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const std::uint64_t descriptors = raise_descriptor_limit();
  const std::uint64_t room = connections_within(descriptors);
  if (room == 0) {
    say(LogLevel::error,
        std::to_string(descriptors) +
            " file descriptors are not enough: raise the limit (LimitNOFILE=, ulimit -n)");
    return exit_limit;
  }
  if (room < options.connections_max) {
    say(LogLevel::warning, std::to_string(descriptors) + " file descriptors allow " +
                               std::to_string(room) + " connections, not " +
                               std::to_string(options.connections_max));
  }
  GatewayMetrics metrics;
  std::unique_ptr<Routes> routes;
  HttpServer server(
      {.host = options.host,
       .port = options.port,
       .connections_max =
           static_cast<unsigned>(std::min<std::uint64_t>(options.connections_max, room)),
       .patience = options.timeout,
       .body_bytes_max = options.body_bytes_max,
       .bodies_bytes_max = options.bodies_bytes_max,
       .refusal = refusal},
      [&routes](const ExchangeRef& exchange) { routes->handle(exchange); }, &metrics);
  if (const auto wrong = server.listen(); !wrong.empty()) {
    say(LogLevel::error, wrong);
    return exit_listen;
  }
  routes = std::make_unique<Routes>(options, &metrics);
  say(LogLevel::info, "listening on http://" + options.host + ":" + std::to_string(server.port()));
  std::thread stopper([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGTERM) drain(signals, options.drain, server, metrics);
    server.stop();
  });
  server.run();
  stopper.join();
  routes.reset();  // its threads may still answer: before the server goes
  say(LogLevel::info, "stopped");
  return 0;
}
