// millrace-gateway: HTTP and JSON in front of the producer SDK. Stateless: run as many as you like.
#include "descriptors.h"
#include "http_server.h"
#include "options.h"
#include "problem.h"
#include "routes.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <thread>

namespace {

using namespace millrace::gateway;

constexpr int exit_usage = 64, exit_limit = 71, exit_listen = 74;

// Serves on and says that it stops, until a load balancer has seen it or a second signal comes.
void drain(const sigset_t& signals, std::chrono::milliseconds span, HttpServer& server,
           Traffic& traffic) {
  if (span.count() == 0) return;
  traffic.draining = true;
  server.drain();
  std::fprintf(stderr, "millrace-gateway: drains, and stops in %lld ms\n",
               static_cast<long long>(span.count()));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(span);
  const timespec patience{seconds.count(), std::chrono::nanoseconds(span - seconds).count()};
  sigtimedwait(&signals, nullptr, &patience);
}

}  // namespace

int main(int count, char** arguments) {
  const auto [options, error] = read_options(count, arguments);
  if (!error.empty()) {
    std::fprintf(stderr, "millrace-gateway: %s\n", error.c_str());
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
    std::fprintf(stderr, "millrace-gateway: %llu file descriptors are too few: raise the limit\n",
                 static_cast<unsigned long long>(descriptors));
    return exit_limit;
  }
  if (room < options.connections_max) {
    std::fprintf(stderr, "millrace-gateway: %llu file descriptors allow %llu connections, not %u\n",
                 static_cast<unsigned long long>(descriptors),
                 static_cast<unsigned long long>(room), options.connections_max);
  }
  Traffic traffic;
  std::unique_ptr<Routes> routes;
  HttpServer server(
      {.host = options.host,
       .port = options.port,
       .connections_max =
           static_cast<unsigned>(std::min<std::uint64_t>(options.connections_max, room)),
       .patience = options.timeout,
       .body_bytes_max = options.body_bytes_max,
       .refusal = refusal},
      [&routes](const ExchangeRef& exchange) { routes->handle(exchange); }, &traffic);
  if (const auto wrong = server.listen(); !wrong.empty()) {
    std::fprintf(stderr, "millrace-gateway: %s\n", wrong.c_str());
    return exit_listen;
  }
  routes = std::make_unique<Routes>(options, &traffic);
  std::fprintf(stderr, "millrace-gateway: listens on http://%s:%u\n", options.host.c_str(),
               static_cast<unsigned>(server.port()));
  std::thread stopper([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGTERM) drain(signals, options.drain, server, traffic);
    server.stop();
  });
  server.run();
  stopper.join();
  routes.reset();  // its threads may still answer: before the server goes
  std::fprintf(stderr, "millrace-gateway: stopped\n");
  return 0;
}
