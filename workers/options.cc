// The worker host's command line.
#include "options.h"

#include <millrace/times.h>

#include <getopt.h>
#include <array>
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
  key_file,
  name,
  drain,
  run_max,
  term_grace,
  payload_file,
  payload_keys,
  require_encryption,
  help,
  version
};

constexpr option flags[] = {{"topic", required_argument, nullptr, topic},
                            {"exec", required_argument, nullptr, exec},
                            {"concurrency", required_argument, nullptr, concurrency},
                            {"prefetch", required_argument, nullptr, prefetch},
                            {"broker", required_argument, nullptr, broker},
                            {"key-file", required_argument, nullptr, key_file},
                            {"name", required_argument, nullptr, name},
                            {"drain", required_argument, nullptr, drain},
                            {"run-max", required_argument, nullptr, run_max},
                            {"term-grace", required_argument, nullptr, term_grace},
                            {"payload-file", no_argument, nullptr, payload_file},
                            {"payload-keys", required_argument, nullptr, payload_keys},
                            {"require-encryption", no_argument, nullptr, require_encryption},
                            {"help", no_argument, nullptr, help},
                            {"version", no_argument, nullptr, version},
                            {nullptr, 0, nullptr, 0}};

constexpr std::chrono::milliseconds span_max = std::chrono::hours(24 * 365);

std::optional<int> number_of(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = wrong == std::errc{} && end == text.data() + text.size();
  if (!whole || value < least || value > most) return std::nullopt;
  return value;
}

std::string set_span(std::chrono::milliseconds* to, const char* flag, const char* text) {
  const auto span = parse_duration(text);
  if (!span) return std::string(flag) + ": " + span.error().message;
  if (*span > span_max)
    return std::string(flag) + " takes at most one year (365d), not '" + text + "'";
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
    case key_file: options.worker.connection.key_file = value; return {};
    case name: options.worker.connection.name = value; return {};
    case concurrency:
      return set_number(&options.worker.concurrency, "--concurrency", value, 1, 1'024);
    case prefetch: return set_number(&options.worker.prefetch, "--prefetch", value, 0, 4'096);
    case drain: return set_span(&options.worker.drain, "--drain", value);
    case run_max: return set_span(&options.command.run_max, "--run-max", value);
    case term_grace: return set_span(&options.command.term_grace, "--term-grace", value);
    case payload_file: options.command.payload_file = true; return {};
    case payload_keys: options.payload_keys = value; return {};
    case require_encryption: options.worker.require_encryption = true; return {};
    case help: options.help = true; return {};
    case version: options.version = true; return {};
    default: return "see millrace-worker --help";
  }
}

std::string misread(int flag, const std::string& word) {
  if (flag == ':') return word + " needs a value: see millrace-worker --help";
  std::string known;
  for (const option* f = flags; f->name != nullptr; ++f) {
    known += (known.empty() ? "--" : ", --") + std::string(f->name);
  }
  return "unknown option '" + word + "'; known options are " + known;
}

// From the file of payload keys that was named; what is wrong with it, or empty.
std::string read_payload_keys(Options& options) {
  auto keys = PayloadKeys::read_or_default(options.payload_keys);
  if (!keys) return keys.error().message;
  options.worker.payload_keys = std::move(*keys);
  const bool needed = options.worker.require_encryption && options.worker.payload_keys.empty();
  return needed ? "--require-encryption needs --payload-keys FILE" : "";
}

// Topics and brokers may be several; of anything else the second would undo the first.
std::string given_twice(int flag, std::array<bool, version + 1>* given) {
  bool& before = given->at(static_cast<std::size_t>(flag));
  const bool twice = before && flag != topic && flag != broker;
  before = true;
  return twice ? "--" + std::string(flags[flag - 1].name) + " is given more than once" : "";
}

}  // namespace

const char* usage() {
  return R"(usage: millrace-worker --topic TOPIC [--topic ...] --exec 'COMMAND' [options]
Runs COMMAND (with /bin/sh -c) for each job of the topics, with the payload on its stdin.
  --topic TOPIC          topic whose jobs it takes; may be repeated
  --exec COMMAND         command that does a job
  --concurrency N        number of commands that run at the same time (5)
  --prefetch N           further jobs that are fetched in advance (0)
  --payload-file         pass the payload as the file $MILLRACE_PAYLOAD_FILE, not on stdin
  --payload-keys FILE    file of payload keys, for payloads that are encrypted: commands get plain
                         text (MILLRACE_PAYLOAD_KEYS)
  --require-encryption   discard jobs whose payload is not encrypted
  --run-max DURATION     run-time limit: a command that runs longer is stopped and its job is
                         retried (no limit)
  --term-grace DURATION  time between SIGTERM and SIGKILL for a command (5s)
  --drain DURATION       how long running commands may continue after SIGTERM (25s)
  --broker ENDPOINT      address of the broker, ipc://PATH or tcp://HOST:PORT; may be repeated
                         (MILLRACE_BROKER, else ipc:///run/millrace/millrace.sock)
  --key-file FILE        this worker's key file, for brokers that require keys (MILLRACE_KEY_FILE)
  --name NAME            name of this worker in the list of sessions (host:pid)
  --help, --version      print this help, or the version
Exit status of the command: 0 completed, its stdout is the result; 65 move the job to the
dead-letter queue; 75 and every other status: retry. The end of its stderr is stored as the error.
Environment of the command: MILLRACE_JOB, _TOPIC, _PARTITION, _SEQ, _KEY, _HEADERS, _ATTEMPT,
_MAX_ATTEMPTS, _ENQUEUED_MS.
A DURATION is a number with a unit: 500ms, 30s, 1h30m.
Exit codes: 0 stopped after draining, 1 stopped before the broker confirmed all results,
64 usage error, 76 the broker refused a topic: it is misspelt, or must be created first
)";
}

ReadOptions read_options(int count, char** arguments) {
  ReadOptions read;
  Options& options = read.options;
  options.worker.prefetch = 0;  // commands are slow: better with another worker than waiting here
  int flag = 0;
  std::array<bool, version + 1> given{};
  opterr = 0;  // the sentences are ours
  while (read.error.empty() && (flag = getopt_long(count, arguments, ":", flags, nullptr)) != -1) {
    read.error = flag == '?' || flag == ':' ? misread(flag, arguments[optind - 1])
                                            : given_twice(flag, &given);
    if (read.error.empty()) read.error = apply(options, flag, optarg);
  }
  if (!read.error.empty() || options.help || options.version) return read;
  if (optind < count) {
    read.error =
        std::string("unexpected argument '") + arguments[optind] + "': see millrace-worker --help";
  } else if (options.topics.empty()) {
    read.error = "no topic is given: use --topic TOPIC";
  } else if (options.command.command.empty()) {
    read.error = "no command is given: use --exec 'COMMAND'";
  }
  if (read.error.empty()) read.error = read_payload_keys(options);
  return read;
}

}  // namespace millrace::workers
