// The worker host's command line.
#include "options.h"

#include <getopt.h>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace millrace::workers {
namespace {

enum Flag : int {
  topic = 1,
  exec,
  concurrency,
  prefetch,
  broker,
  name,
  drain,
  run_max,
  term_grace,
  payload_file,
  help,
  version
};

constexpr option flags[] = {{"topic", required_argument, nullptr, topic},
                            {"exec", required_argument, nullptr, exec},
                            {"concurrency", required_argument, nullptr, concurrency},
                            {"prefetch", required_argument, nullptr, prefetch},
                            {"broker", required_argument, nullptr, broker},
                            {"name", required_argument, nullptr, name},
                            {"drain", required_argument, nullptr, drain},
                            {"run-max", required_argument, nullptr, run_max},
                            {"term-grace", required_argument, nullptr, term_grace},
                            {"payload-file", no_argument, nullptr, payload_file},
                            {"help", no_argument, nullptr, help},
                            {"version", no_argument, nullptr, version},
                            {nullptr, 0, nullptr, 0}};

constexpr std::chrono::milliseconds span_max = std::chrono::hours(24 * 365);
constexpr std::pair<std::string_view, std::chrono::milliseconds> units[] = {
    {"ms", std::chrono::milliseconds(1)}, {"", std::chrono::seconds(1)},
    {"s", std::chrono::seconds(1)},       {"m", std::chrono::minutes(1)},
    {"h", std::chrono::hours(1)},
};

// "250ms", "30s", "5m", "2h"; a bare number is seconds.
std::optional<std::chrono::milliseconds> span_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view named(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (wrong != std::errc{} || value < 0) return std::nullopt;
  for (const auto& [name, unit] : units) {
    if (named == name && value <= span_max / unit) return value * unit;
  }
  return std::nullopt;
}

std::optional<int> number_of(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = wrong == std::errc{} && end == text.data() + text.size();
  if (!whole || value < least || value > most) return std::nullopt;
  return value;
}

std::string set_span(std::chrono::milliseconds* to, const char* flag, const char* text) {
  const auto span = span_of(text);
  if (!span)
    return std::string(flag) + " takes a time such as 30s, 500ms or 2m, a year at most, not '" +
           text + "'";
  *to = *span;
  return {};
}

std::string set_number(int* to, const char* flag, const char* text, int least, int most) {
  const auto number = number_of(text, least, most);
  if (!number) {
    return std::string(flag) + " takes a number from " + std::to_string(least) + " to " +
           std::to_string(most) + ", not '" + text + "'";
  }
  *to = *number;
  return {};
}

std::string apply(Options& options, int flag, const char* value) {
  switch (flag) {
    case topic: options.topics.emplace_back(value); return {};
    case exec: options.command.command = value; return {};
    case broker: options.worker.connection.brokers.emplace_back(value); return {};
    case name: options.worker.connection.name = value; return {};
    case concurrency:
      return set_number(&options.worker.concurrency, "--concurrency", value, 1, 1'024);
    case prefetch: return set_number(&options.worker.prefetch, "--prefetch", value, 0, 4'096);
    case drain: return set_span(&options.worker.drain, "--drain", value);
    case run_max: return set_span(&options.command.run_max, "--run-max", value);
    case term_grace: return set_span(&options.command.term_grace, "--term-grace", value);
    case payload_file: options.command.payload_file = true; return {};
    case help: options.help = true; return {};
    case version: options.version = true; return {};
    default: return "see millrace-worker --help";
  }
}

}  // namespace

const char* usage() {
  return "usage: millrace-worker --topic TOPIC [--topic ...] --exec 'COMMAND' [options]\n"
         "Runs COMMAND (by /bin/sh -c) for each job of the topics, the payload on its stdin.\n"
         "  --concurrency N    commands at a time (5)\n"
         "  --prefetch N       jobs held ready beyond those (0)\n"
         "  --payload-file     the payload in a file named by MILLRACE_PAYLOAD_FILE, not on stdin\n"
         "  --run-max TIME     a command that runs longer is stopped, its job retried (none)\n"
         "  --term-grace TIME  from SIGTERM to SIGKILL (5s)\n"
         "  --drain TIME       at SIGTERM: patience with running commands (25s)\n"
         "  --broker ENDPOINT  ipc://PATH or tcp://HOST:PORT; may repeat (MILLRACE_BROKER, or\n"
         "                     ipc:///run/millrace/millrace.sock)\n"
         "  --name NAME        shown to people (host:pid)\n"
         "The command's exit: 0 done, its stdout is the result; 75 retry; 65 discard to the\n"
         "dead-letter queue; anything else retry. The end of its stderr is kept as the error.\n"
         "Its environment: MILLRACE_JOB, _TOPIC, _PARTITION, _SEQ, _KEY, _HEADERS, _ATTEMPT,\n"
         "_MAX_ATTEMPTS, _ENQUEUED_MS.\n"
         "exit codes: 0 drained, 1 stopped while the broker could not be told, 64 usage\n";
}

ReadOptions read_options(int count, char** arguments) {
  ReadOptions read;
  Options& options = read.options;
  options.worker.prefetch = 0;  // commands are slow: better with another worker than waiting here
  int flag = 0;
  while (read.error.empty() && (flag = getopt_long(count, arguments, "", flags, nullptr)) != -1) {
    read.error = apply(options, flag, optarg);
  }
  if (!read.error.empty() || options.help || options.version) return read;
  if (optind < count) {
    read.error = std::string("what is '") + arguments[optind] + "'? see millrace-worker --help";
  } else if (options.topics.empty()) {
    read.error = "name a topic: --topic TOPIC";
  } else if (options.command.command.empty()) {
    read.error = "name the command that does the work: --exec 'COMMAND'";
  }
  return read;
}

}  // namespace millrace::workers
