// A child process that the quickstart starts and ends.
#pragma once

#include <sys/types.h>
#include <string>
#include <vector>

namespace quickstart {

class Process {
 public:
  // Its output goes to the end of the log file.
  Process(const std::vector<std::string>& command, const std::string& log);
  ~Process();  // SIGKILL if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();
  void kill_now();  // SIGKILL, and waits
  void terminate();
  void wait();

 private:
  pid_t pid_ = -1;
  bool ended_ = true;
};

}  // namespace quickstart
