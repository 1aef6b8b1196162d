// A real broker of this build as a child process, on a socket and a file of its own in a new
// folder. Threads: one.
#pragma once

#include <sys/types.h>
#include <chrono>
#include <string>

namespace millrace::testing {

// For what ends at once unless something is broken.
inline constexpr std::chrono::seconds patience{60};

class BrokerProcess {
 public:
  BrokerProcess();   // started
  ~BrokerProcess();  // killed, its folder removed
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  [[nodiscard]] const std::string& folder() const { return folder_; }  // also of its data
  [[nodiscard]] std::string endpoint() const { return "ipc://" + folder_ + "/socket"; }
  void start();
  void kill();               // SIGKILL
  [[nodiscard]] int stop();  // SIGTERM; the exit code, or minus the signal that ended it

 private:
  int end(int signal);

  std::string folder_;
  pid_t pid_ = -1;
};

}  // namespace millrace::testing
