// The commands of all tables together.
#include "commands.h"

#include <cstdio>
#include <cstdlib>

namespace millrace::cli {

const std::vector<Command>& all_commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> commands;
    for (auto* table :
         {enqueue_commands, look_commands, top_commands, completion_commands, manage_commands,
          key_commands, payload_key_commands, backup_commands, offline_commands, audit_commands}) {
      for (Command& command : table()) commands.push_back(std::move(command));
    }
    return commands;
  }();
  return all;
}

const std::vector<Option>& global_options() {
  static const std::vector<Option> all{
      {.name = "--broker",
       .value = "ENDPOINT",
       .help = "address of the broker, ipc://PATH or tcp://HOST:PORT; may be repeated (default: "
               "the environment variable MILLRACE_BROKER, else ipc:///run/millrace/millrace.sock)",
       .store =
           [](Options& options, const std::string& endpoint) {
             options.brokers.push_back(endpoint);
             return std::string{};
           },
       .repeats = true},
      text_option("--key-file", "FILE", &Options::key_file,
                  "this client's key file, for brokers that require keys (default: the environment "
                  "variable MILLRACE_KEY_FILE, else no key)"),
      flag("--json", &Options::json, "print JSON: one object, or one object a line for lists"),
      duration_option("--timeout", &Options::timeout,
                      "how long to wait for an answer of the broker (default 10s)")};
  return all;
}

ConnectionOptions connection_of(const Options& options) {
  return {.brokers = options.brokers, .key_file = options.key_file};
}

std::vector<JobId> ids_of(const Options& options) {
  std::vector<JobId> ids;
  for (const auto& word : options.words) {
    const auto id = JobId::parse(word);
    if (!id) {
      std::fprintf(stderr, "millrace: '%s' is not a job id: %s\n", word.c_str(),
                   id.error().message.c_str());
      std::exit(exit_usage);
    }
    ids.push_back(*id);
  }
  return ids;
}

}  // namespace millrace::cli
