// millrace-gateway: HTTP and JSON in front of the producer SDK. Stateless: run as many as you like.
#include "descriptors.h"
#include "http/server.h"
#include "options.h"
#include "problem.h"
#include "routes.h"

#include <millrace/log_line.h>
#include <millrace/version.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace millrace::gateway;
using millrace::LogLevel;

constexpr int exit_usage = 64, exit_limit = 71, exit_listen = 74, exit_certificate = 78;

void say(LogLevel level, const std::string& what) {
  millrace::write_log_line(level, "millrace-gateway", what);
}

void say_full(bool full, unsigned connections_max) {
  const std::string most = std::to_string(connections_max) + " connections";
  if (full) {
    say(LogLevel::warning, "all " + most + " are in use: new connections are refused");
  } else {
    say(LogLevel::info, "new connections are accepted again, at most " + most);
  }
}

// A path may hold any bytes: a line of the log stays one line.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c <= '~' && c != '%') {
      out += c;
      continue;
    }
    char escape[4];
    std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned>(c) & 0xffU);
    out += escape;
  }
  return out;
}

void say_request(const millrace::http::Exchange& exchange, int status) {
  say(LogLevel::info, exchange.client + (exchange.secure ? " https " : " http ") + exchange.method +
                          " " + printable(exchange.path) + " " + std::to_string(status));
}

millrace::http::ServerOptions server_options(const Options& options, unsigned connections_max) {
  millrace::http::ServerOptions made{
      .address = options.listen,
      .trusted_proxies = options.trusted_proxies,
      .connections_max = connections_max,
      .patience = options.timeout,
      // Longer than the proxies in front keep a connection that they do not use, so that they
      // close it and never send a request into a connection that is being closed here.
      .keep_alive = std::chrono::seconds(75),
      .body_bytes_max = options.body_bytes_max,
      .bodies_bytes_max = options.bodies_bytes_max,
      .refusal = refusal,
      .on_full = [connections_max](bool full) { say_full(full, connections_max); },
      .on_certificate =
          [](bool well, const std::string& what) {
            say(well ? LogLevel::info : LogLevel::error, what);
          }};
  if (!options.tls_cert.empty()) made.tls = {options.tls_cert, options.tls_key};
  if (options.log_requests) made.on_answer = say_request;
  return made;
}

// Until a signal that ends the gateway.
int wait_for_end(const sigset_t& signals, millrace::http::Server& server) {
  for (;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGHUP) return signal;
    server.reload_tls();
  }
}

// Serves on and says that it stops, until a load balancer has seen it or a second signal comes.
void drain(const sigset_t& signals, std::chrono::milliseconds span, millrace::http::Server& server,
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
  sigaddset(&signals, SIGHUP);
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
  const auto connections_max =
      static_cast<unsigned>(std::min<std::uint64_t>(options.connections_max, room));
  millrace::http::Server server(
      server_options(options, connections_max),
      [&routes](const millrace::http::ExchangeRef& exchange) { routes->handle(exchange); });
  const bool tls = !options.tls_cert.empty();
  if (tls) {
    const auto wrong = millrace::http::wrong_with({options.tls_cert, options.tls_key});
    if (!wrong.empty()) {
      say(LogLevel::error, wrong);
      return exit_certificate;
    }
  }
  if (const auto wrong = server.listen(); !wrong.empty()) {
    say(LogLevel::error, "cannot listen on " + to_string(options.listen) + ": " + wrong);
    return exit_listen;
  }
  routes = std::make_unique<Routes>(options, &metrics, server.counters());
  say(LogLevel::info,
      std::string("listening on ") + (tls ? "https://" : "http://") + to_string(server.address()));
  std::thread stopper([&] {
    if (wait_for_end(signals, server) == SIGTERM) drain(signals, options.drain, server, metrics);
    server.stop();
  });
  server.run();
  stopper.join();
  routes.reset();  // its threads may still answer: before the server goes
  say(LogLevel::info, "stopped");
  return 0;
}
