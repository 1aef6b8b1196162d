// A crowd of clients in one process, each with a session, threads and sockets of its own, as if
// each were a program. A line whenever one is connected or no longer connected, with the time of
// the monotonic clock: "up TIME_US", "down TIME_US".
//   network_crowd NUMBER    the broker and the key come from MILLRACE_BROKER and MILLRACE_KEY_FILE
// Ends at SIGTERM or SIGINT.
#include <millrace/client.h>

#include <sys/resource.h>
#include <unistd.h>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int exit_usage = 64;
constexpr int clients_max = 1'000;

void say(const char* what) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::string line =
      std::string(what) + " " +
      std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()) + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::perror("network_crowd");
}

// Each client has a dozen descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  int number = 0;
  const char* const text = argc == 2 ? argv[1] : "";
  const char* const end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, number);
  if (read.ec != std::errc() || read.ptr != end || number < 1 || number > clients_max) {
    std::fprintf(stderr, "usage: network_crowd NUMBER, from 1 to %d\n", clients_max);
    return exit_usage;
  }
  raise_descriptor_limit();
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::vector<std::unique_ptr<millrace::Client>> clients;
  for (int i = 0; i < number; ++i) {
    millrace::ClientOptions options;
    options.connection.name = "crowd-" + std::to_string(i);
    options.connection.on_connected = [](const millrace::ShardConnection&) { say("up"); };
    options.connection.on_disconnected = [](const millrace::ShardConnection&) { say("down"); };
    clients.push_back(std::make_unique<millrace::Client>(std::move(options)));
  }
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}
