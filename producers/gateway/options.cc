// The gateway's command line.
#include "options.h"

#include <millrace/times.h>

#include <arpa/inet.h>
#include <getopt.h>
#include <charconv>
#include <optional>

namespace millrace::gateway {
namespace {

using namespace std::chrono_literals;

enum Flag : int {
  listen = 1,
  broker,
  connections,
  body,
  bodies,
  timeout,
  drain,
  allow_public,
  help,
  version
};

constexpr option flags[] = {{"listen", required_argument, nullptr, listen},
                            {"broker", required_argument, nullptr, broker},
                            {"connections-max", required_argument, nullptr, connections},
                            {"body-bytes-max", required_argument, nullptr, body},
                            {"bodies-bytes-max", required_argument, nullptr, bodies},
                            {"timeout", required_argument, nullptr, timeout},
                            {"drain", required_argument, nullptr, drain},
                            {"allow-public", no_argument, nullptr, allow_public},
                            {"help", no_argument, nullptr, help},
                            {"version", no_argument, nullptr, version},
                            {nullptr, 0, nullptr, 0}};

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t least,
                                    std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = wrong == std::errc{} && end == text.data() + text.size();
  if (!whole || value < least || value > most) return std::nullopt;
  return value;
}

std::string set_listen(Options& options, const std::string& text) {
  const auto colon = text.rfind(':');
  const auto port =
      colon == std::string::npos ? std::nullopt : number(text.substr(colon + 1), 0, 65'535);
  in_addr address{};
  if (!port || inet_pton(AF_INET, text.substr(0, colon).c_str(), &address) != 1) {
    return "--listen takes an IPv4 address and a port, such as 127.0.0.1:8080, not '" + text + "'";
  }
  options.host = text.substr(0, colon);
  options.port = static_cast<std::uint16_t>(*port);
  return {};
}

template <typename To>
std::string set_number(To* to, const char* flag, const char* text, std::uint64_t most) {
  const auto value = number(text, 1, most);
  if (!value) {
    return std::string(flag) + " takes a number from 1 to " + std::to_string(most) + ", not '" +
           text + "'";
  }
  *to = To(*value);
  return {};
}

std::string set_duration(std::chrono::milliseconds* to, const char* flag, const char* text,
                         std::chrono::milliseconds least, std::chrono::milliseconds most) {
  const auto span = parse_duration(text);
  if (!span) return std::string(flag) + ": " + span.error().message;
  if (*span < least || *span > most) {
    return std::string(flag) + " takes " + std::to_string(least.count()) + "ms to " +
           std::to_string(most.count() / 1'000) + "s, not '" + text + "'";
  }
  *to = *span;
  return {};
}

std::string apply(Options& o, int flag, const char* value) {
  switch (flag) {
    case listen: return set_listen(o, value);
    case broker: o.brokers.emplace_back(value); return {};
    case connections: return set_number(&o.connections_max, "--connections-max", value, 65'536);
    case body: return set_number(&o.body_bytes_max, "--body-bytes-max", value, 64U << 20);
    case bodies:
      return set_number(&o.bodies_bytes_max, "--bodies-bytes-max", value, std::uint64_t{1} << 40U);
    case timeout: return set_duration(&o.timeout, "--timeout", value, 100ms, 5min);
    case drain: return set_duration(&o.drain, "--drain", value, 0ms, 1h);
    case allow_public: o.allow_public = true; return {};
    case help: o.help = true; return {};
    case version: o.version = true; return {};
    default: return "see millrace-gateway --help";
  }
}

}  // namespace

const char* usage() {
  return "usage: millrace-gateway [options]\n"
         "  --listen ADDRESS:PORT   where HTTP is served (127.0.0.1:8080)\n"
         "  --allow-public          allows an address that is not loopback: put authentication\n"
         "                          in front, the gateway has none\n"
         "  --broker ENDPOINT       may repeat (MILLRACE_BROKER, or the default socket)\n"
         "  --connections-max N     (4096), and no more than the limit of file descriptors allows\n"
         "  --body-bytes-max N      (4194304)\n"
         "  --bodies-bytes-max N    of all requests that are open (268435456); above it those "
         "with\n"
         "                          bodies of more than 64 KiB get a 503\n"
         "  --timeout DURATION      patience with the broker, and with a silent client (5s)\n"
         "  --drain DURATION        after SIGTERM /readyz answers 503 for this long while "
         "requests\n"
         "                          are still served, so that load balancers notice (5s);\n"
         "                          a second signal, or SIGINT, ends it\n"
         "routes: POST /v1/topics/TOPIC/jobs, GET and DELETE /v1/jobs/TOPIC/PARTITION/SEQ,\n"
         "/healthz, /readyz, /metrics\n"
         "exit codes: 0 stopped, 64 usage, 71 too few file descriptors, 74 cannot listen\n";
}

ReadOptions read_options(int count, char** arguments) {
  ReadOptions read;
  int flag = 0;
  while (read.error.empty() && (flag = getopt_long(count, arguments, "", flags, nullptr)) != -1) {
    read.error = apply(read.options, flag, optarg);
  }
  if (read.error.empty() && optind < count) {
    read.error =
        std::string("unknown argument '") + arguments[optind] + "'; see millrace-gateway --help";
  }
  if (read.error.empty() && !read.options.allow_public && !read.options.host.starts_with("127.")) {
    read.error = read.options.host +
                 " is not loopback, and the gateway asks nobody who they are: put it behind "
                 "something that does, and say --allow-public";
  }
  return read;
}

}  // namespace millrace::gateway
