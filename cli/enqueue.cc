// The command enqueue: from arguments, from stdin, or in bulk from lines of JSON.
#include "commands.h"
#include "job_line.h"
#include "output.h"

#include <millrace/producer.h>

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

// What became of the jobs, counted on the producer's thread and shown on ours.
class Tally {
 public:
  void add(const Enqueued& outcome) {
    const std::lock_guard lock(mutex_);
    if (outcome.outcome == Outcome::stored) return void(++stored_);
    ++(outcome.outcome == Outcome::rejected ? rejected_ : unknown_);
    if (first_error_.message.empty()) first_error_ = outcome.error;
  }
  void reject(Error error) { add({Outcome::rejected, {}, std::move(error)}); }
  void draw(std::uint64_t read, double share) {
    const std::lock_guard lock(mutex_);
    std::string bar;
    for (int i = 0; i < 30; ++i) bar += i < share * 30 ? "█" : "░";
    std::fprintf(stderr, "\r\033[K%s %llu read, %llu stored", bar.c_str(),
                 static_cast<unsigned long long>(read), static_cast<unsigned long long>(stored_));
  }
  int end(const Options& options, double seconds) {
    const std::lock_guard lock(mutex_);
    if (options.json) {
      print_json({{"stored", stored_},
                  {"rejected", rejected_},
                  {"unknown", unknown_},
                  {"seconds", seconds}});
    } else {
      char line[160];
      std::snprintf(line, sizeof line, "stored %llu, rejected %llu, unknown %llu in %.1f s\n",
                    static_cast<unsigned long long>(stored_),
                    static_cast<unsigned long long>(rejected_),
                    static_cast<unsigned long long>(unknown_), seconds);
      print(line);
    }
    if (first_error_.message.empty()) return exit_ok;
    const int code = fail(Options{}, first_error_);
    return unknown_ > 0 ? exit_in_vain : code;
  }

 private:
  std::mutex mutex_;
  std::uint64_t stored_ = 0, rejected_ = 0, unknown_ = 0;
  Error first_error_;
};

int bulk(const Options& options, Producer& producer) {
  std::ifstream file;
  const bool from_file = *options.jsonl != "-";
  struct stat about {};
  if (from_file) file.open(*options.jsonl);
  if (from_file &&
      (!file || ::stat(options.jsonl->c_str(), &about) != 0 || S_ISDIR(about.st_mode))) {
    return misused("cannot read the file '" + safe_text(*options.jsonl) + "' of --jsonl");
  }
  const double size = static_cast<double>(about.st_size);  // 0 for a pipe: no bar
  std::istream& in = from_file ? file : std::cin;
  const bool drawn = ::isatty(2) != 0 && !options.json;
  const auto begun = std::chrono::steady_clock::now();
  Tally tally;
  std::string line;
  std::uint64_t read = 0;
  double bytes = 0;
  while (std::getline(in, line)) {
    ++read;
    bytes += static_cast<double>(line.size() + 1);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto job = job_of_line(options, line);
    if (job) {
      producer.enqueue_async(std::move(*job), [&tally](const Enqueued& o) { tally.add(o); });
    } else {
      tally.reject(
          {ErrorCode::invalid, "line " + std::to_string(read) + " " + job.error().message, {}});
    }
    if (drawn && read % 1'000 == 0) tally.draw(read, size > 0 ? bytes / size : 0);
  }
  (void)producer.flush(std::chrono::hours(1));  // each job has a deadline of its own
  if (drawn) std::fputs("\r\033[K", stderr);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun;
  return tally.end(options, spent.count());
}

// All of stdin, with whatever bytes are in it. Larger ones than this no broker takes.
constexpr std::size_t stdin_bytes_max = 16U << 20;

Result<std::string> all_of_stdin() {
  std::string all;
  std::array<char, 65'536> buffer{};
  for (;;) {
    const auto got = ::read(0, buffer.data(), buffer.size());
    if (got == 0) return all;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return tl::unexpected(
          Error{ErrorCode::invalid, std::string("cannot read stdin: ") + std::strerror(errno), {}});
    }
    all.append(buffer.data(), static_cast<std::size_t>(got));
    if (all.size() > stdin_bytes_max) {
      return tl::unexpected(
          Error{ErrorCode::too_large, "the payload on stdin is larger than 16 MiB", {}});
    }
  }
}

Result<std::vector<std::string>> payloads_of(const Options& options) {
  if (!options.words.empty() && options.words.front() != "-") return options.words;
  if (::isatty(0) != 0) std::fputs("reading the payload from stdin; end it with Ctrl-D\n", stderr);
  auto all = all_of_stdin();
  if (!all) return tl::unexpected(all.error());
  return std::vector<std::string>{std::move(*all)};
}

int enqueue(const Options& options) {
  const auto keys = PayloadKeys::read_or_default(options.payload_keys);
  if (!keys) return fail(options, keys.error());
  ProducerOptions settings{.connection = connection_of(options), .payload_keys = *keys};
  settings.deadline = options.timeout;
  Producer producer(settings);
  if (options.jsonl) return bulk(options, producer);
  auto payloads = payloads_of(options);
  if (!payloads) return fail(options, payloads.error());
  std::vector<Job> jobs;
  for (auto& payload : *payloads) jobs.push_back(job_of(options, std::move(payload)));
  int code = exit_ok;
  for (const Enqueued& outcome : producer.enqueue_all(std::move(jobs))) {
    if (outcome.outcome != Outcome::stored) {
      code = fail(options, outcome.error);
    } else if (options.json) {
      print_json({{"job", outcome.id.str()}});
    } else {
      print(outcome.id.str() + "\n");
    }
  }
  return code;
}

std::string add_header(Options& options, const std::string& text) {
  const auto at = text.find('=');
  if (at == std::string::npos || at == 0) {
    return "--header takes NAME=VALUE, not '" + text + "'";
  }
  const std::string name = text.substr(0, at);
  if (options.headers.emplace(name, text.substr(at + 1)).second) return {};
  return "--header " + name + " is given more than once";
}

std::string contradiction(const Options& options) {
  if (options.delay && options.run_at) {
    return "--delay and --run-at cannot be used together";
  }
  if (options.jsonl && !options.words.empty()) {
    return "--jsonl and PAYLOAD cannot be used together";
  }
  if (options.words.size() > 1 &&
      std::find(options.words.begin(), options.words.end(), "-") != options.words.end()) {
    return "- (stdin) cannot be used together with another PAYLOAD";
  }
  return {};
}

}  // namespace

std::vector<Command> enqueue_commands() {
  return {
      {.name = "enqueue",
       .help = "enqueue jobs and print their ids",
       .arguments = {topic_argument("topic of the jobs; created if it does not exist"),
                     words_argument("PAYLOAD",
                                    "payload of a job, one job for each; without one, or with -, "
                                    "all of stdin is the payload of one job",
                                    Argument::Count::any)},
       .options =
           {text_option(
                "--jsonl", "FILE", &Options::jsonl,
                "a file (- for stdin) in the format JSON Lines, one object for each job: payload "
                "(of a string its characters are stored, of any other value its JSON text) or "
                "payload_base64, key, priority, delay, delay_ms or run_at, max_attempts, headers "
                "(an "
                "object of strings)"),
            text_option("--key", "TEXT", &Options::key,
                        "partition key: jobs with the same key go to the same partition"),
            {.name = "--header",
             .value = "NAME=VALUE",
             .help = "a header of each job, delivered to the worker; may be repeated",
             .store = add_header,
             .repeats = true},
            number_option("--priority", &Options::priority, 0, 9,
                          "0 (highest) to 9 (lowest); default 5"),
            number_option("--max-attempts", &Options::max_attempts, 1, 1'000,
                          "attempts before the job is dead; default: the setting of the topic"),
            duration_option("--delay", &Options::delay, "start no earlier than this time from now"),
            time_option("--run-at", &Options::run_at, "start no earlier than at this time"),
            payload_keys_option()},
       .examples =
           "  millrace enqueue greetings hello\n"
           "  millrace enqueue reports --delay 1h30m --key customer-7 < report.json\n"
           "  millrace enqueue reports --run-at 2030-01-31T12:00:00+01:00 '{\"month\": 1}'\n"
           "  millrace enqueue reports --jsonl jobs.jsonl\n",
       .run = enqueue,
       .contradiction = contradiction},
  };
}

}  // namespace millrace::cli
