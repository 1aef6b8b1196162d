#include "broker_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace millrace::testing {
namespace {

// build/bin/tests/test_sdk -> build/bin/millraced
std::filesystem::path program() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "millraced";
}

std::string new_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "millrace-sdk-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), name);
  }
  return name;
}

}  // namespace

BrokerProcess::BrokerProcess() : folder_(new_folder()) {
  std::ofstream config(folder_ + "/millraced.toml");
  config << "[broker]\ndata_dir = \"" << folder_ << "\"\nlisten = [\"" << endpoint()
         << "\"]\n[log]\nlevel = \"warn\"\n";
  config.close();
  start();
}

BrokerProcess::~BrokerProcess() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void BrokerProcess::start() {
  std::string name = program().string(), flag = "--config", file = folder_ + "/millraced.toml";
  char* words[] = {name.data(), flag.data(), file.data(), nullptr};
  const int failed = ::posix_spawn(&pid_, name.c_str(), nullptr, nullptr, words, environ);
  if (failed != 0) throw std::system_error(failed, std::generic_category(), name);
}

void BrokerProcess::kill() { end(SIGKILL); }
int BrokerProcess::stop() { return end(SIGTERM); }

int BrokerProcess::end(int signal) {
  if (pid_ < 0) return 0;
  const pid_t pid = std::exchange(pid_, -1);
  ::kill(pid, signal);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace millrace::testing
