// Starts and ends child processes.
#include "process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace quickstart {

Process::Process(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0644);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  ended_ = posix_spawn(&pid_, arguments[0], &files, nullptr, arguments.data(), environ) != 0;
  posix_spawn_file_actions_destroy(&files);
}

Process::~Process() { kill_now(); }

bool Process::running() {
  if (!ended_ && ::waitpid(pid_, nullptr, WNOHANG) == pid_) ended_ = true;
  return !ended_;
}
void Process::kill_now() {
  if (!ended_) ::kill(pid_, SIGKILL);
  wait();
}
void Process::terminate() {
  if (!ended_) ::kill(pid_, SIGTERM);
}
void Process::wait() {
  if (!ended_) ::waitpid(pid_, nullptr, 0);
  ended_ = true;
}

}  // namespace quickstart
