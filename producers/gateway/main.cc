// millrace-gateway: HTTP and JSON in front of the producer SDK. Stateless: run as many as you like.
#include "http_server.h"
#include "options.h"
#include "problem.h"
#include "routes.h"

#include <csignal>
#include <cstdio>
#include <thread>

namespace {

constexpr int exit_usage = 64, exit_listen = 74;

}  // namespace

int main(int count, char** arguments) {
  using namespace millrace::gateway;
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

  std::unique_ptr<Routes> routes;
  HttpServer server({.host = options.host,
                     .port = options.port,
                     .connections_max = options.connections_max,
                     .silence_s_max = static_cast<unsigned>(options.timeout.count()),
                     .body_bytes_max = options.body_bytes_max,
                     .too_large =
                         [max = options.body_bytes_max] {
                           return problem(413, millrace::ErrorCode::too_large,
                                          "a body has at most " + std::to_string(max) + " bytes");
                         }},
                    [&routes](const ExchangeRef& exchange) { routes->handle(exchange); });
  if (const auto wrong = server.listen(); !wrong.empty()) {
    std::fprintf(stderr, "millrace-gateway: %s\n", wrong.c_str());
    return exit_listen;
  }
  routes = std::make_unique<Routes>(options);
  std::fprintf(stderr, "millrace-gateway: listens on http://%s:%u\n", options.host.c_str(),
               static_cast<unsigned>(options.port));
  std::thread stopper([&signals, &server] {
    int signal = 0;
    sigwait(&signals, &signal);
    server.stop();
  });
  server.run();
  stopper.join();
  routes.reset();  // its threads may still answer: before the server goes
  std::fprintf(stderr, "millrace-gateway: stopped\n");
  return 0;
}
