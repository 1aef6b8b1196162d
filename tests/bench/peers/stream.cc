#include "stream.h"

#include "../options.h"
#include "../zmq_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <array>

namespace millrace::bench {

Stream::Stream(std::uint64_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(port));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    give_up("nothing listens on port " + std::to_string(port));
  }
}

Stream::~Stream() { ::close(fd_); }

void Stream::flush() {
  for (std::size_t sent = 0; sent < out_.size();) {
    const ssize_t some = ::send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (some <= 0) give_up("the peer has closed the connection");
    sent += static_cast<std::size_t>(some);
  }
  out_.clear();
}

bool Stream::readable(int wait_ms) {
  if (at_ < in_.size()) return true;
  pollfd item{fd_, POLLIN, 0};
  return ::poll(&item, 1, wait_ms) > 0;
}

void Stream::read_more() {
  std::array<char, 65'536> some{};
  pollfd item{fd_, POLLIN, 0};
  if (::poll(&item, 1, patience_ms) <= 0) give_up("the peer did not answer");
  const ssize_t count = ::recv(fd_, some.data(), some.size(), 0);
  if (count <= 0) give_up("the peer has closed the connection");
  in_.erase(0, at_);
  at_ = 0;
  in_.append(some.data(), static_cast<std::size_t>(count));
}

std::string_view Stream::line() {
  for (;;) {
    const auto end = in_.find("\r\n", at_);
    if (end != std::string::npos) {
      const std::string_view found(in_.data() + at_, end - at_);
      at_ = end + 2;
      return found;
    }
    read_more();
  }
}

std::string_view Stream::bytes(std::size_t count) {
  while (in_.size() - at_ < count) read_more();
  at_ += count;
  return {in_.data() + at_ - count, count};
}

}  // namespace millrace::bench
