// A child of fork() in a test: its exit code is the result. Threads: one.
#pragma once

#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <functional>

namespace millrace::testing {

constexpr unsigned child_seconds_max = 60;

// In the child: its exit code is 0 if `well` is true. One that hangs is ended by SIGALRM.
inline pid_t forked(const std::function<bool()>& well) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::alarm(child_seconds_max);
  ::_exit(well() ? 0 : 1);
}

// Its exit code, or minus the signal that ended it.
inline int end_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace millrace::testing
