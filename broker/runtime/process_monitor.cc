// Monitors worker processes of this machine by pidfd.
#include "runtime/process_monitor.h"

#include "net/connection_limiter.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <array>

namespace millrace::runtime {
namespace {

constexpr std::size_t watched_max = 4'096;
constexpr std::size_t ended_at_once_max = 256;

}  // namespace

ProcessMonitor::ProcessMonitor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

ProcessMonitor::~ProcessMonitor() {
  for (const auto& [fd, session] : sessions_) ::close(fd);
  ::close(epoll_);
}

bool ProcessMonitor::watch(const core::SessionId& session, std::uint64_t pid) {
  forget(session);
  if (pid == 0 || sessions_.size() >= watched_max) return false;
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
  if (fd < 0) return false;
  epoll_event event{EPOLLIN, {.fd = fd}};
  if (!net::ConnectionLimiter::instance().keeps(fd) ||
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    ::close(fd);
    return false;
  }
  sessions_[fd] = session;
  return true;
}

void ProcessMonitor::forget(const core::SessionId& session) {
  for (auto at = sessions_.begin(); at != sessions_.end(); ++at) {
    if (at->second != session) continue;
    ::close(at->first);
    sessions_.erase(at);
    return;
  }
}

std::vector<core::SessionId> ProcessMonitor::ended() {
  std::array<epoll_event, ended_at_once_max> events{};
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  std::vector<core::SessionId> all;
  for (int i = 0; i < count; ++i) {
    const auto found = sessions_.find(events[static_cast<std::size_t>(i)].data.fd);
    if (found == sessions_.end()) continue;
    all.push_back(found->second);
    ::close(found->first);
    sessions_.erase(found);
  }
  return all;
}

}  // namespace millrace::runtime
