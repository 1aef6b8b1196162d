// A child process in a process group of its own, with pipes to its three streams. It dies with
// the thread that started it, so a killed worker leaves no job running.
#pragma once

#include <sys/types.h>
#include <string>
#include <vector>

namespace millrace::workers {

class Child {
 public:
  // Runs `/bin/sh -c command` with environment (NAME=value) added. error is set if it cannot.
  Child(const std::string& command, const std::vector<std::string>& environment);
  ~Child();  // ends the whole group
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] const std::string& error() const { return error_; }
  // Non-blocking descriptors; -1 once closed. exited is readable when the child has ended.
  int in = -1, out = -1, err = -1, exited = -1;
  void close_in();
  void close_out();
  void close_err();
  void signal_group(int signal) const;
  // After exited became readable; the status of waitpid().
  [[nodiscard]] int reap();

 private:
  pid_t pid_ = -1;
  std::string error_;
};

}  // namespace millrace::workers
