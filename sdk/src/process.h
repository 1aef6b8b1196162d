// What the SDK owes the process that it lives in: to notice a fork(), to leave the application's
// signals alone, and to say what nobody is there to be told.
// Threads: any. Nothing here takes a lock: another thread may have held it at the time of a fork().
#pragma once

#include <millrace/connection.h>
#include <millrace/result.h>

#include <csignal>
#include <cstdint>
#include <string>

namespace millrace {

// Which process an object was made in. A child of fork() has its memory and not its threads.
class ProcessMark {
 public:
  ProcessMark();
  // True in a child of the process in which this was made.
  [[nodiscard]] bool inherited() const;

 private:
  std::uint64_t process_;
};

// For a call in the child on what its parent made.
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

// A programmer error after which nothing can go on: says it and aborts.
[[noreturn]] void misuse(const char* what);

// A child that was forked inside a callback or handler has come back out of it. What follows would
// use the parent's connection: says so and ends the child, with 70.
[[noreturn]] void end_child(const char* of);

}  // namespace millrace
