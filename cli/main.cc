// millrace: one command for people. Reads the command line, runs the command.
#include "commands.h"

#include <csignal>

int main(int count, char** arguments) {
  using namespace millrace::cli;
  std::signal(SIGPIPE, SIG_DFL);
  const auto [command, options] = read_options(count, arguments);
  if (const auto* local = std::get_if<Local>(&command->run)) return (*local)(options);
  millrace::Client client({.connection = connection_of(options), .timeout = options.timeout});
  return std::get<Remote>(command->run)(options, client);
}
