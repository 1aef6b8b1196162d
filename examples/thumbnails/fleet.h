// A broker on a SQLite file and two worker processes, in one folder.
#pragma once

#include "process.h"

#include <memory>
#include <string>
#include <vector>

namespace quickstart {

struct Paths {
  std::string bin;     // where millraced and millrace-worker lie
  std::string script;  // the job's command, and where it puts what it makes
  std::string output;
  std::string data;    // store, configuration, logs
  std::string socket;  // short: a socket's path has at most 107 bytes
};

class Fleet {
 public:
  explicit Fleet(Paths paths);

  // Empty when well, else a sentence.
  [[nodiscard]] std::string start();
  [[nodiscard]] std::string endpoint() const { return "ipc://" + paths_.socket; }
  pid_t kill_a_worker();  // SIGKILL, and starts another
  pid_t kill_the_broker();
  // Which of them ended by itself, else empty.
  [[nodiscard]] std::string fallen();
  void stop();

 private:
  void start_broker();
  void start_worker(std::size_t place);

  Paths paths_;
  std::unique_ptr<Process> broker_;
  std::vector<std::unique_ptr<Process>> workers_{2};
};

}  // namespace quickstart
