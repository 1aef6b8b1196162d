// Addresses to listen on, as people write them, and responses as bytes.
#include "http/response.h"
#include "http/server.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::http {
namespace {

TEST(Address, OfBothFamiliesIsReadAndWritten) {
  for (const char* text : {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:8080", "[::]:65535",
                           "[2001:db8::7]:80", "[::ffff:127.0.0.1]:80"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_string(*address), text);
  }
  EXPECT_EQ(parse_address("[::1]:8080")->host, "::1");
  EXPECT_EQ(parse_address("[::1]:8080")->port, 8'080);
}

TEST(Address, WhatIsNoneIsRefused) {
  for (const char* text : {"",
                           "here",
                           "8080",
                           ":8080",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1: 80",
                           "127.0.0.1:80 ",
                           "127.1:80",
                           "localhost:80",
                           "::1:8080",
                           "[::1]",
                           "[::1]:",
                           "[]:80",
                           "[::1:80",
                           "::1]:80",
                           "[127.0.0.1]:80",
                           "[fe80::1%lo]:80",
                           "[::1]x:80"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

TEST(Address, LoopbackIsKnownInBothFamilies) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[0:0:0:0:0:0:0:1]:1"}) {
    EXPECT_TRUE(is_loopback(*parse_address(text))) << text;
  }
  for (const char* text : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[2001:db8::1]:1", "[::2]:1"}) {
    EXPECT_FALSE(is_loopback(*parse_address(text))) << text;
  }
}

TEST(Response, SaysItsLengthAlsoWithoutItsBody) {
  Response response{405, "text/plain", "no\n", {{"Allow", "GET, HEAD"}}};
  const std::string whole = response_text(response, {.last = true});
  EXPECT_TRUE(whole.starts_with("HTTP/1.1 405 Method Not Allowed\r\nDate: ")) << whole;
  EXPECT_TRUE(
      whole.ends_with("\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                      "Cache-Control: no-store\r\nAllow: GET, HEAD\r\n"
                      "Connection: close\r\n\r\nno\n"))
      << whole;
  const std::string head = response_text(response, {.head_only = true, .old_keep_alive = true});
  EXPECT_TRUE(head.ends_with("\r\nConnection: keep-alive\r\n\r\n")) << head;
  EXPECT_NE(head.find("\r\nContent-Length: 3\r\n"), std::string::npos) << head;
}

}  // namespace
}  // namespace millrace::http
