// The client of a request: a header counts only where a trusted proxy sent it.
#include "http/forwarded.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace millrace::http {
namespace {

std::vector<Network> networks(std::initializer_list<const char*> texts) {
  std::vector<Network> all;
  for (const char* text : texts) all.push_back(parse_network(text).value());
  return all;
}

const std::vector<Network> proxies = networks({"10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1"});

std::string client(const std::string& peer, const std::string& forwarded_for) {
  return caller_of({.peer = peer, .forwarded_for = forwarded_for}, proxies).client;
}

bool secure(const std::string& peer, bool tls, const std::string& proto) {
  return caller_of({.peer = peer, .tls = tls, .forwarded_proto = proto}, proxies).secure;
}

TEST(Network, OfBothFamiliesIsRead) {
  for (const char* text :
       {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.7", "192.0.2.7/32", "::1", "::1/128", "::/0",
        "fd00::/8", "2001:db8:8000::/33", "::ffff:10.0.0.0/104", "::ffff:10.1.2.3"}) {
    EXPECT_TRUE(parse_network(text)) << text;
  }
}

TEST(Network, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "/8", "here", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", " 10.0.0.0/8",
        "10.0.0.0/8/8", "10.0.0/8", "10.0.0.1/8", "10.0.0.0/99999999999999999999999", "fd00::1/8",
        "::/129", "[::1]", "::1%lo", "fe80::1%1/64", "::ffff:0.0.0.0/95", "10.0.0.0:80"}) {
    EXPECT_FALSE(parse_network(text)) << text;
  }
}

TEST(Client, IsThePeerWhereThePeerIsNotTrusted) {
  EXPECT_EQ(client("203.0.113.5", "198.51.100.1"), "203.0.113.5");
  EXPECT_EQ(client("192.0.2.8", "198.51.100.1"), "192.0.2.8");
  EXPECT_EQ(client("11.0.0.1", "10.0.0.1"), "11.0.0.1");
  EXPECT_EQ(client("2001:db8::1", "198.51.100.1"), "2001:db8::1");
  EXPECT_EQ(client("::2", "198.51.100.1"), "::2");
  EXPECT_EQ(caller_of({.peer = "127.0.0.1", .forwarded_for = "198.51.100.1"}, {}).client,
            "127.0.0.1");
}

TEST(Client, IsTheLastAddressThatIsNotOfATrustedProxy) {
  EXPECT_EQ(client("10.1.2.3", "198.51.100.1"), "198.51.100.1");
  EXPECT_EQ(client("192.0.2.7", "198.51.100.1"), "198.51.100.1");
  EXPECT_EQ(client("fdff::1", "2001:DB8::0:1"), "2001:db8::1");
  // In front of it the client may have written anything.
  EXPECT_EQ(client("10.1.2.3", "1.1.1.1, 198.51.100.1"), "198.51.100.1");
  EXPECT_EQ(client("10.1.2.3", "1.1.1.1,\t198.51.100.1 ,10.9.9.9, ::1"), "198.51.100.1");
  EXPECT_EQ(client("10.1.2.3", "nonsense, 198.51.100.1"), "198.51.100.1");
  // All are trusted: the farthest.
  EXPECT_EQ(client("10.1.2.3", "10.0.0.1, 10.0.0.2"), "10.0.0.1");
}

TEST(Client, IsTheLastOneThatIsKnownWhereTheHeaderIsMalformed) {
  for (const char* header : {"nonsense", "1.2.3.4.5", "[::2", "[::2]x", "1.2.3.4, unknown",
                             "1.2.3.4, 256.1.1.1", "1.2.3.4, \x01", "\"1.2.3.4\""}) {
    EXPECT_EQ(client("10.1.2.3", header), "10.1.2.3") << header;
  }
  EXPECT_EQ(client("10.1.2.3", "1.2.3.4, _hidden, 10.0.0.9"), "10.0.0.9");
  for (const char* header : {"", " ", ",", ", ,,"}) {
    EXPECT_EQ(client("10.1.2.3", header), "10.1.2.3") << header;
  }
  EXPECT_EQ(client("", "1.2.3.4"), "");
}

TEST(Client, MayComeWithAPortOrAsIpv4InIpv6) {
  EXPECT_EQ(client("::ffff:10.1.2.3", "198.51.100.1:4711"), "198.51.100.1");
  EXPECT_EQ(client("10.1.2.3", "[2001:db8::1]:4711"), "2001:db8::1");
  EXPECT_EQ(client("10.1.2.3", "[2001:db8::1]"), "2001:db8::1");
  EXPECT_EQ(client("10.1.2.3", "::ffff:198.51.100.1"), "198.51.100.1");
  EXPECT_EQ(client("::ffff:203.0.113.5", "198.51.100.1"), "203.0.113.5");
}

TEST(Client, NetworksOfOneFamilyDoNotHoldTheOther) {
  const auto all_six = networks({"::/0"}), all_four = networks({"0.0.0.0/0"});
  EXPECT_EQ(caller_of({.peer = "10.0.0.1", .forwarded_for = "1.2.3.4"}, all_six).client,
            "10.0.0.1");
  EXPECT_EQ(caller_of({.peer = "fd00::1", .forwarded_for = "1.2.3.4"}, all_four).client, "fd00::1");
  EXPECT_EQ(caller_of({.peer = "10.0.0.1", .forwarded_for = "1.2.3.4"}, all_four).client,
            "1.2.3.4");
}

TEST(Secure, IsWhatTheConnectionIsOrTheTrustedProxySays) {
  EXPECT_TRUE(secure("203.0.113.5", true, ""));
  EXPECT_TRUE(secure("203.0.113.5", true, "http"));
  EXPECT_FALSE(secure("203.0.113.5", false, "https"));
  EXPECT_TRUE(secure("10.1.2.3", false, "https"));
  EXPECT_TRUE(secure("10.1.2.3", false, "HTTPS, https"));
  EXPECT_TRUE(secure("10.1.2.3", true, ""));
  for (const char* proto : {"http", "https, http", "http, https", "httpsx", "https,", ",", " "}) {
    EXPECT_FALSE(secure("10.1.2.3", false, proto)) << proto;
  }
  EXPECT_FALSE(secure("10.1.2.3", false, ""));
  EXPECT_FALSE(secure("10.1.2.3", true, "http"));  // the client's own hop was in the clear
}

}  // namespace
}  // namespace millrace::http
