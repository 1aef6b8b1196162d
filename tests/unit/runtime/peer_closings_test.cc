// Who closed a connection: the peer, also by a reset, or this process; and that a descriptor number
// that is used again is another connection.
#include "net/peer_closings.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <array>
#include <memory>

namespace millrace::net {
namespace {

struct Pair {
  int here = -1, there = -1;
};

Pair unix_pair() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {ends[0], ends[1]};
}

Pair tcp_pair() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener, any, size), 0);
  EXPECT_EQ(::listen(listener, 1), 0);
  EXPECT_EQ(::getsockname(listener, any, &size), 0);
  Pair pair;
  pair.there = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(pair.there, any, size), 0);
  pair.here = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  ::close(listener);
  return pair;
}

// As libzmq does before it closes: reads up to the end or the error.
void read_to_end(int fd) {
  pollfd item{fd, POLLIN, 0};
  ASSERT_EQ(::poll(&item, 1, 20'000), 1);
  char byte = 0;
  while (::recv(fd, &byte, 1, 0) > 0) {
  }
}

class Closings : public ::testing::TestWithParam<Pair (*)()> {
 protected:
  PeerClosings& closings_ = PeerClosings::instance();
  std::shared_ptr<PeerClosings::Cookies> list_ = std::make_shared<PeerClosings::Cookies>();
};

TEST_P(Closings, APeerThatClosedIsReportedOnce) {
  const Pair pair = GetParam()();
  const auto cookie = closings_.watch(pair.here, list_);
  ASSERT_NE(cookie, 0U);
  ::close(pair.there);
  read_to_end(pair.here);
  EXPECT_TRUE(closings_.take(list_).empty());
  ::close(pair.here);
  EXPECT_EQ(closings_.take(list_), PeerClosings::Cookies{cookie});
  EXPECT_TRUE(closings_.take(list_).empty());
}

TEST_P(Closings, APeerThatResetIsReported) {
  const Pair pair = GetParam()();
  const auto cookie = closings_.watch(pair.here, list_);
  ASSERT_EQ(::send(pair.here, "x", 1, 0), 1);
  pollfd item{pair.there, POLLIN, 0};
  ASSERT_EQ(::poll(&item, 1, 20'000), 1);
  ::close(pair.there);  // with a byte that nobody read: its kernel answers with a reset
  read_to_end(pair.here);
  ::close(pair.here);
  EXPECT_EQ(closings_.take(list_), PeerClosings::Cookies{cookie});
}

TEST_P(Closings, WhatThisProcessClosesIsNotReported) {
  const Pair pair = GetParam()();
  ASSERT_NE(closings_.watch(pair.here, list_), 0U);
  ::close(pair.here);
  ::close(pair.there);
  EXPECT_TRUE(closings_.take(list_).empty());
}

TEST_P(Closings, ANumberThatIsUsedAgainIsAnotherConnection) {
  const Pair first = GetParam()();
  const auto cookie = closings_.watch(first.here, list_);
  ASSERT_NE(cookie, 0U);
  // As by dup2(), which does not call close().
  const Pair second = GetParam()();
  ASSERT_EQ(::dup2(second.here, first.here), first.here);
  ::close(second.there);
  read_to_end(first.here);
  ::close(first.here);
  EXPECT_TRUE(closings_.take(list_).empty());
  const auto again = closings_.watch(second.here, list_);
  EXPECT_NE(again, cookie);
  ::close(second.here);
  EXPECT_EQ(closings_.take(list_), PeerClosings::Cookies{again});
  ::close(first.there);
}

TEST_P(Closings, AConnectionThatIsClosedAlreadyIsNotWatched) {
  const Pair pair = GetParam()();
  ::close(pair.here);
  EXPECT_EQ(closings_.watch(pair.here, list_), 0U);
  EXPECT_EQ(closings_.watch(-1, list_), 0U);
  ::close(pair.there);
}

INSTANTIATE_TEST_SUITE_P(Unix, Closings, ::testing::Values(unix_pair));
INSTANTIATE_TEST_SUITE_P(Tcp, Closings, ::testing::Values(tcp_pair));

}  // namespace
}  // namespace millrace::net
