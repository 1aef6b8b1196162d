// millrace: one command for people. Reads the words, runs the command.
#include "commands.h"
#include "options.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>

namespace millrace::cli {

ConnectionOptions connection_of(const Options& options) { return {.brokers = options.brokers}; }

std::vector<JobId> ids_of(const Options& options) {
  std::vector<JobId> ids;
  for (const auto& word : options.words) {
    const auto id = JobId::parse(word);
    if (!id) {
      std::fprintf(stderr, "millrace: '%s' is not a job's id: %s\n", word.c_str(),
                   id.error().message.c_str());
      std::exit(exit_usage);
    }
    ids.push_back(*id);
  }
  return ids;
}

namespace {

using Command = int (*)(const Options&, Client&);

const std::map<std::string_view, Command> commands{
    {"topics", topics},         {"jobs", jobs},     {"job", job},
    {"explain", explain},       {"wait", wait},     {"status", status},
    {"sessions", sessions},     {"top", top},       {"create", create},
    {"pause", pause},           {"resume", resume}, {"cancel", cancel},
    {"dead list", dead_list},   {"dead show", job}, {"dead requeue", dead_requeue},
    {"dead purge", dead_purge}, {"backup", backup},
};

}  // namespace
}  // namespace millrace::cli

int main(int count, char** arguments) {
  using namespace millrace::cli;
  std::signal(SIGPIPE, SIG_DFL);
  const Options options = read_options(count, arguments);
  if (options.command == "completion") return completion(options);
  if (options.command == "enqueue") return enqueue(options);
  if (options.command == "verify") return verify(options);
  if (options.command == "restore") return restore(options);
  millrace::Client client({.connection = connection_of(options), .timeout = options.timeout});
  return commands.at(options.command)(options, client);
}
