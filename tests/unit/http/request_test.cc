// Parsing of HTTP requests: the end of each request is unambiguous, or the request is refused.
#include "http/request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace::http {
namespace {

using Step = RequestReader::Step;

const std::string get = "GET /healthz HTTP/1.1\r\n", post = "POST /v1/topics/t/jobs HTTP/1.1\r\n";
const std::string host = "Host: a\r\n";

// The status of the fault, 0 where a request is whole, -1 where more is waited for.
int status_of(std::string_view bytes, std::size_t step = 1) {
  RequestReader reader(1'000);
  for (; !bytes.empty();) {
    std::string_view some = bytes.substr(0, step);
    bytes.remove_prefix(some.size());
    const Step told = reader.read(&some);
    if (told == Step::fault) return reader.fault().status;
    if (told == Step::whole) return 0;
  }
  return -1;
}

TEST(Request, OneAfterTheOther) {
  RequestReader reader(1'000);
  const std::string all = post + host + "Content-Length: 5\r\n\r\nhello\r\n" + get + host + "\r\n";
  std::string_view bytes = all;
  ASSERT_EQ(reader.read(&bytes), Step::whole);
  EXPECT_EQ(reader.request().body, "hello");
  reader.next();
  ASSERT_EQ(reader.read(&bytes), Step::whole);
  EXPECT_EQ(reader.request().path, "/healthz");
  EXPECT_TRUE(bytes.empty());
}

TEST(Request, ChunksAreJoined) {
  RequestReader reader(1'000);
  const std::string all = post + host +
                          "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A;n=\"v\"\r\n0123456789"
                          "\r\n0\r\nX-Sum: 1\r\n\r\n";
  std::string_view bytes = all;
  ASSERT_EQ(reader.read(&bytes), Step::whole) << reader.fault().message;
  EXPECT_EQ(reader.request().body, "abc0123456789");
}

TEST(Request, WhatTwoReadersCouldReadInTwoWaysIsRefused) {
  const std::string chunked = post + host + "Transfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::pair<std::string, int>> cases{
      {post + host + "Content-Length: 16\r\nContent-Length: 5\r\n\r\n", 400},
      {post + host + "Content-Length: 5\r\ncontent-length: 5\r\n\r\n", 400},
      {post + host + "Content-Length: 5, 5\r\n\r\n", 400},
      {post + host + "Content-Length: +5\r\n\r\n", 400},
      {post + host + "Content-Length: -5\r\n\r\n", 400},
      {post + host + "Content-Length: 0x10\r\n\r\n", 400},
      {post + host + "Content-Length: 5 5\r\n\r\n", 400},
      {post + host + "Content-Length:\r\n\r\n", 400},
      {post + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {post + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
      {post + host + "Transfer-Encoding: identity, chunked\r\n\r\n", 400},
      {post + host + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
      {post + host + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {post + host + "Transfer-Encoding: xchunked\r\n\r\n", 400},
      {post + host +
           "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n",
       400},
      {post + host + "Transfer-Encoding : chunked\r\n\r\n", 400},
      {post + host + "Content-Length : 5\r\n\r\n", 400},
      {post + host + " Content-Length: 5\r\n\r\n", 400},
      {post + host + "X: 1\r\n folded: 2\r\n\r\n", 400},
      {post + host + "X: 1\r\n\tfolded\r\n\r\n", 400},
      {post + host + "X 1\r\n\r\n", 400},
      {post + host + ": 1\r\n\r\n", 400},
      {post + host + "X: a\rContent-Length: 5\r\n\r\n", 400},
      {post + host + "X: a\nContent-Length: 5\r\n\r\n", 400},
      {post + host + std::string("X: a\0b\r\n\r\n", 10), 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {get + "\r\n", 400},
      {get + host + host + "\r\n", 400},
      {get + "Host: a b\r\n\r\n", 400},
      {get + "Host: a/b\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET / HTTP/1.1 \r\n" + host + "\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / http/1.1\r\n" + host + "\r\n", 400},
      {"GET /a b HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET healthz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http:///healthz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"G(T / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET / HTTP/2.0\r\n" + host + "\r\n", 505},
      {get + host + "Expect: 200-ok\r\n\r\n", 417},
      {get + host + "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n", 400},
      {get + host + "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", 400},
      {chunked + "5\nhello\r\n", 400},
      {chunked + "5 \r\nhello\r\n", 400},
      {chunked + "+5\r\nhello\r\n", 400},
      {chunked + "0x5\r\nhello\r\n", 400},
      {chunked + "g\r\n", 400},
      {chunked + "\r\n", 400},
      {chunked + "000000005\r\n", 400},
      {chunked + "4\r\nhello\r\n", 400},
      {chunked + "5\r\nhello\n", 400},
      {chunked + "5;a\rb\r\nhello\r\n", 400},
      {chunked + "5;" + std::string(300, 'x') + "\r\n", 400},
      {chunked + "0\r\nX : 1\r\n\r\n", 400},
      {chunked + "fffffff0\r\n", 413},
      {chunked + "3e8\r\n" + std::string(1'000, 'x') + "\r\n1\r\n", 413},
      {post + host + "Content-Length: 1001\r\n\r\n", 413},
      {post + host + "Content-Length: 99999999999999999999999\r\n\r\n", 413},
      {"GET /" + std::string(9'000, 'x'), 414},
      {get + host + "X: " + std::string(9'000, 'x'), 431},
      {chunked + "0\r\nX: " + std::string(9'000, 'x'), 431},
  };
  for (const auto& [bytes, status] : cases) {
    EXPECT_EQ(status_of(bytes), status) << bytes;
    EXPECT_EQ(status_of(bytes, bytes.size()), status) << bytes;
  }
  std::string many = get + host;
  for (int i = 0; i < 101; ++i) many += "X: 1\r\n";
  EXPECT_EQ(status_of(many + "\r\n"), 431);
}

TEST(Request, WhatClientsRightlySendIsTaken) {
  for (const std::string& bytes :
       {"GET http://a:80/healthz HTTP/1.1\r\n" + host + "\r\n",
        "GET / HTTP/1.0\r\n\r\n" + std::string(), "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
        get + "host:[::1]:8080\r\n\r\n", get + "Host:\r\n\r\n",
        get + host + "X:\t a \t\r\nY: \xc3\xa9\r\n\r\n", "\r\n" + get + host + "\r\n",
        post + host + "Content-Length: 00\r\n\r\n"}) {
    EXPECT_EQ(status_of(bytes), 0) << bytes;
  }
}

TEST(Request, AClientThatAsksIsToldToGoAhead) {
  RequestReader reader(1'000);
  const std::string head = post + host + "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  std::string_view bytes = head;
  EXPECT_EQ(reader.read(&bytes), Step::go_ahead);
  bytes = "ab";
  EXPECT_EQ(reader.read(&bytes), Step::whole);
}

}  // namespace
}  // namespace millrace::http
