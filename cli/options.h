// The options and arguments of the command line, as plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::cli {

// Documented in --help and the man page.
enum Exit : int {
  exit_ok = 0,
  exit_refused = 1,
  exit_not_found = 2,
  exit_in_vain = 3,   // the time ran out first, or the outcome is unknown
  exit_not_done = 4,  // wait: it ended dead or cancelled
  exit_usage = 64,
  exit_unavailable = 69,
  exit_no_program = 71,  // verify, restore: millraced cannot be run
  exit_io = 74,          // audit: its files cannot be read
};

struct Options {
  std::vector<std::string> brokers;
  bool json = false;
  std::chrono::milliseconds timeout{10'000};

  std::string topic, state, after;
  std::vector<std::string> words;  // payloads, or job ids
  std::size_t limit = 50;
  bool all = false, yes = false, full = false, once = false;
  bool payload_only = false, result_only = false;  // their bytes, and nothing else
  std::chrono::milliseconds wait{60'000}, interval{1'000};

  std::optional<std::string> jsonl;  // a file, or - for stdin
  std::string key;
  std::map<std::string, std::string> headers;
  std::optional<int> priority, max_attempts;
  std::optional<std::chrono::milliseconds> delay;
  std::optional<std::chrono::system_clock::time_point> run_at;

  std::optional<int> partitions;
  std::optional<std::chrono::milliseconds> run_max, backoff_min, backoff_max;
  bool history = false;

  std::string path, data_dir;  // of backups
  std::uint64_t keep = 0;
  bool replace = false, detach = false;

  std::string key_file;                             // of this client
  std::string payload_keys;                         // a file of them
  std::string keys_dir = "/etc/millrace", comment;  // of the commands of keys
  std::vector<std::string> may, topics;             // roles, patterns; commas separate them too
  std::optional<std::chrono::milliseconds> expires;
  std::optional<std::string> out;
  bool token = false, finish = false;

  std::string audit_dir = "/var/lib/millrace/audit";
  std::optional<std::string> who, verb, audit_topic, noted_hash, after_hash;
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> since, until;
  std::optional<std::size_t> newest;
  bool refused = false;
};

struct Command;  // command.h

struct Typed {
  const Command* command;  // has a function: a group alone is refused
  Options options;
};
// Exits by itself for --help, --version and mistakes (64).
[[nodiscard]] Typed read_options(int count, char** arguments);

}  // namespace millrace::cli
