// A child process in a process group of its own.
#include "child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace millrace::workers {
namespace {

using Pipe = std::array<int, 2>;

void shut(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const auto& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> whole_environment(const std::vector<std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  all.insert(all.end(), added.begin(), added.end());
  return all;
}

// In the child, between fork and exec: nothing but async-signal-safe calls.
[[noreturn]] void become(const std::array<Pipe, 3>& pipes, char* const* arguments,
                         char* const* environment, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(pipes[0][0], 0);
  ::dup2(pipes[1][1], 1);
  ::dup2(pipes[2][1], 2);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execve("/bin/sh", arguments, environment);
  ::_exit(127);
}

}  // namespace

Child::Child(const std::string& command, const std::vector<std::string>& environment) {
  const std::vector<std::string> arguments{"/bin/sh", "-c", command};
  const auto all = whole_environment(environment);
  const auto argv = pointers(arguments), envp = pointers(all);
  std::array<Pipe, 3> pipes{Pipe{-1, -1}, Pipe{-1, -1}, Pipe{-1, -1}};
  bool open = true;
  for (auto& pipe : pipes) open = open && ::pipe2(pipe.data(), O_CLOEXEC) == 0;
  const pid_t parent = ::getpid();
  pid_ = open ? ::fork() : -1;
  if (pid_ == 0) become(pipes, argv.data(), envp.data(), parent);
  if (pid_ < 0) {
    error_ = std::string("cannot start the command: ") + std::strerror(errno);
  } else {
    ::setpgid(pid_, pid_);  // by parent or child, whichever is first
    exited = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    std::swap(in, pipes[0][1]);
    std::swap(out, pipes[1][0]);
    std::swap(err, pipes[2][0]);
    for (const int fd : {in, out, err}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  for (auto& pipe : pipes) {
    for (int& fd : pipe) shut(fd);
  }
}

Child::~Child() {
  if (pid_ > 0) {
    signal_group(SIGKILL);
    if (exited >= 0) (void)reap();
  }
  close_in();
  close_out();
  close_err();
}

void Child::close_in() { shut(in); }
void Child::close_out() { shut(out); }
void Child::close_err() { shut(err); }

void Child::signal_group(int signal) const {
  if (pid_ > 0) ::kill(-pid_, signal);
}

int Child::reap() {
  int status = 0;
  // What the command left running in its group ends with it. Before the wait, while the number is
  // surely still its own.
  signal_group(SIGKILL);
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  shut(exited);
  return status;
}

}  // namespace millrace::workers
