// The worker host's command line.
#pragma once

#include "command.h"

#include <millrace/worker.h>

#include <string>
#include <vector>

namespace millrace::workers {

struct Options {
  std::vector<std::string> topics;
  CommandOptions command;
  WorkerOptions worker;
  std::string payload_keys;  // a file of them
  bool help = false, version = false;
};

// error is empty when well, else says what is wrong.
struct ReadOptions {
  Options options;
  std::string error;
};
[[nodiscard]] ReadOptions read_options(int count, char** arguments);
[[nodiscard]] const char* usage();

}  // namespace millrace::workers
