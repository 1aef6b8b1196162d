// The SDK's duties towards its process: to notice a fork(), to leave the application's signals
// alone, and to report errors that no caller receives.
// Threads: any. Nothing here takes a lock: another thread may have held it at the time of a fork().
#pragma once

#include <millrace/connection.h>
#include <millrace/result.h>

#include <csignal>
#include <cstdint>
#include <string>

namespace millrace {

// The process in which an object was created. A child of fork() has a copy of its memory but not
// its threads.
class ProcessMark {
 public:
  ProcessMark();
  // True in a child of the process in which this was made.
  [[nodiscard]] bool inherited() const;

 private:
  std::uint64_t process_;
};

// The error of a call in the child on an object that its parent made.
[[nodiscard]] Error made_before_fork(const char* what);

// No thread that is made meanwhile takes a signal from the application. Those that a thread brings
// upon itself (SIGSEGV and its like) stay open, for crash handlers.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// To options.log; without it errors are lines on standard error.
void report(const ConnectionOptions& options, LogLevel level, const std::string& what);

// A programmer error after which the process cannot continue: prints it and aborts.
[[noreturn]] void misuse(const char* what);

// A child that was forked inside a callback or handler has returned from it. The code that follows
// would use the parent's connection: prints a message and ends the child with status 70.
[[noreturn]] void end_child(const char* of);

}  // namespace millrace
