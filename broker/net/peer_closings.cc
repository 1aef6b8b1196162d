// Reports that the other end of a connection closed it.
#include "net/peer_closings.h"

#include <dlfcn.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace millrace::net {
namespace {

int close_by_system(int fd) {
  static const auto real = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "close"));
  return real(fd);
}

// 0: not a socket.
std::uint64_t socket_cookie(int fd) {
  const int error = errno;  // who calls close() may still want to read it
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  const bool is_socket = ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0;
  errno = error;
  return is_socket ? cookie : 0;
}

// Nothing here calls shutdown() on a connection that is watched: it would look the same.
bool peer_has_closed(int fd) {
  const int error = errno;
  pollfd item{fd, POLLRDHUP, 0};
  const bool closed = ::poll(&item, 1, 0) == 1 && (item.revents & POLLRDHUP) != 0;
  errno = error;
  return closed;
}

}  // namespace

// Never destroyed: descriptors are closed until the very end of the process.
PeerClosings& PeerClosings::instance() {
  static PeerClosings& closings = *new PeerClosings;
  return closings;
}

std::uint64_t PeerClosings::watch(int fd, const std::shared_ptr<Cookies>& list) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t cookie = fd < 0 ? 0 : socket_cookie(fd);
  if (cookie != 0) watched_[fd] = {cookie, list};
  return cookie;
}

PeerClosings::Cookies PeerClosings::take(const std::shared_ptr<Cookies>& list) {
  const std::lock_guard lock(mutex_);
  return std::exchange(*list, {});
}

int PeerClosings::close(int fd) {
  const std::uint64_t cookie = socket_cookie(fd);
  if (cookie == 0) return close_by_system(fd);  // a file, which may take long
  const std::lock_guard lock(mutex_);
  look(fd, cookie);
  return close_by_system(fd);
}

void PeerClosings::look(int fd, std::uint64_t cookie) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) return;
  if (found->second.cookie == cookie && peer_has_closed(fd)) {
    found->second.list->push_back(cookie);
  }
  watched_.erase(found);
}

}  // namespace millrace::net

// libzmq has to find it, and the programs hide what they do not offer.
#pragma GCC visibility push(default)
extern "C" int close(int fd) { return millrace::net::PeerClosings::instance().close(fd); }
#pragma GCC visibility pop
