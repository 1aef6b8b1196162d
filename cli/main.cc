// millrace: one command for people. Reads the command line, runs the command.
#include "commands.h"
#include "output.h"

#include <csignal>

int main(int count, char** arguments) {
  using namespace millrace::cli;
  std::signal(SIGPIPE, SIG_DFL);
  const auto [command, options] = read_options(count, arguments);
  if (const auto* local = std::get_if<Local>(&command->run)) return (*local)(options);
  millrace::Result<millrace::PayloadKeys> keys;
  if (command->decrypts) keys = millrace::PayloadKeys::read_or_default(options.payload_keys);
  if (!keys) return fail(options, keys.error());
  millrace::Client client({.connection = connection_of(options),
                           .timeout = options.timeout,
                           .payload_keys = std::move(*keys)});
  return std::get<Remote>(command->run)(options, client);
}
