#include "net/connection_limiter.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>

namespace millrace::net {
namespace {

using Accept4 = int (*)(int, sockaddr*, socklen_t*, int);

constexpr int breath_ms = 10;  // where even accept() finds no descriptor, instead of a busy loop

thread_local int exempt = 0;

int accept_by_system(int listener, sockaddr* address, socklen_t* bytes, int flags) {
  static const auto real = reinterpret_cast<Accept4>(dlsym(RTLD_NEXT, "accept4"));
  return real(listener, address, bytes, flags);
}

// The kernel assigns a cookie to one socket and never again; 0: not a socket.
std::uint64_t cookie_of(int fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

bool lacks_means(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

}  // namespace

ConnectionLimiter::Exempt::Exempt() { ++exempt; }
ConnectionLimiter::Exempt::~Exempt() { --exempt; }

ConnectionLimiter& ConnectionLimiter::instance() {
  static ConnectionLimiter limiter;
  return limiter;
}

void ConnectionLimiter::arm(int line, std::int64_t now_mono_ms) {
  const std::lock_guard lock(mutex_);
  connections_.clear();
  now_ms_ = looked_ms_ = now_mono_ms;
  line_ = line;
}

void ConnectionLimiter::measure() {
  const std::lock_guard lock(mutex_);
  room_ = count_open();
  for (int fd = 0; fd < line_; ++fd) room_ += ::fcntl(fd, F_GETFD) < 0 ? 1 : 0;
}

bool ConnectionLimiter::keeps(int fd) const { return line_ == 0 || fd < line_; }

int ConnectionLimiter::accept(int listener, sockaddr* address, unsigned* bytes, int flags) {
  if (line_ == 0 || exempt > 0) return accept_by_system(listener, address, bytes, flags);
  int error = 0;
  {
    const std::lock_guard lock(mutex_);
    const int fd = accept_by_system(listener, address, bytes, flags);
    if (fd >= 0) return take(fd);
    error = errno;
  }
  if (lacks_means(error)) {
    ::poll(nullptr, 0, breath_ms);
    error = ECONNABORTED;
  }
  errno = error;
  return -1;
}

int ConnectionLimiter::take(int fd) {
  if (fd < line_) {
    const auto at = static_cast<std::size_t>(fd);
    if (at >= connections_.size()) connections_.resize(at + 1);
    connections_[at] = {cookie_of(fd), now_ms_, false, {}};
    return fd;
  }
  ::close(fd);
  ++refused_;
  refused_ms_ = now_ms_;
  refusing_ = true;
  errno = ECONNABORTED;
  return -1;
}

void ConnectionLimiter::said_hello(int fd, std::string_view public_key) {
  const std::lock_guard lock(mutex_);
  const auto at = static_cast<std::size_t>(fd);
  if (fd < 0 || at >= connections_.size()) return;
  connections_[at].greeted = true;
  connections_[at].public_key = public_key;
}

std::uint64_t ConnectionLimiter::connections_of(std::string_view public_key) {
  const std::lock_guard lock(mutex_);
  std::uint64_t open = 0;
  for (std::size_t fd = 0; fd < connections_.size(); ++fd) {
    const Connection& connection = connections_[fd];
    const bool its = connection.cookie != 0 && connection.public_key == public_key;
    if (its && cookie_of(static_cast<int>(fd)) == connection.cookie) ++open;
  }
  return open;
}

ConnectionNews ConnectionLimiter::look(std::int64_t now_mono_ms, const Counts& counts) {
  const std::lock_guard lock(mutex_);
  if (line_ == 0 || now_mono_ms < looked_ms_ + connections_look_ms) return {};
  now_ms_ = looked_ms_ = now_mono_ms;
  ConnectionNews news;
  for (std::size_t fd = 0; fd < connections_.size(); ++fd) {
    Connection& connection = connections_[fd];
    if (connection.cookie == 0) continue;
    const bool silent = !connection.greeted && now_ms_ - connection.accepted_ms >= silent_ms_max;
    const bool without_key =
        counts && !connection.public_key.empty() && !counts(connection.public_key);
    if (!silent && !without_key) continue;
    if (cookie_of(static_cast<int>(fd)) == connection.cookie) {
      ::shutdown(static_cast<int>(fd), SHUT_RDWR);
      silent_ += silent ? 1 : 0;
      news.keys_ended += without_key ? 1 : 0;
    }
    connection = {};
  }
  if (refusing_ && !told_) news.full = told_ = true;
  if (refusing_ && now_ms_ - refused_ms_ >= refusing_ms_kept) {
    news.ended_refused = refused_ - refused_before_;
    refused_before_ = refused_;
    refusing_ = told_ = false;
  }
  return news;
}

ConnectionFacts ConnectionLimiter::facts() {
  const std::lock_guard lock(mutex_);
  return {count_open(), room_, refused_, silent_, refusing_};
}

std::uint64_t ConnectionLimiter::count_open() {
  std::uint64_t open = 0;
  for (std::size_t fd = 0; fd < connections_.size(); ++fd) {
    Connection& connection = connections_[fd];
    if (connection.cookie == 0) continue;
    if (cookie_of(static_cast<int>(fd)) == connection.cookie) {
      ++open;
    } else {
      connection = {};
    }
  }
  return open;
}

}  // namespace millrace::net

// libzmq has to find these two, and the rest of the program stays hidden (cmake/hardening.cmake).
#pragma GCC visibility push(default)
extern "C" {

int accept4(int listener, sockaddr* address, socklen_t* bytes, int flags) {
  return millrace::net::ConnectionLimiter::instance().accept(listener, address, bytes, flags);
}

int accept(int listener, sockaddr* address, socklen_t* bytes) {
  return accept4(listener, address, bytes, 0);
}

}  // extern "C"
#pragma GCC visibility pop
