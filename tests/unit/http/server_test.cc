// What a handler learns of a request that came by a real connection.
#include "http/server.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace millrace::http {
namespace {

// A server on loopback that answers each request with what its handler was given.
class Echo {
 public:
  explicit Echo(std::vector<Network> trusted)
      : server_({.address = {"127.0.0.1", 0},
                 .trusted_proxies = std::move(trusted),
                 .connections_max = 8,
                 .refusal =
                     [](int status, const std::string& why) {
                       return Response{status, "text/plain", why, {}};
                     }},
                [](const ExchangeRef& e) {
                  e->answer(
                      {200,
                       "text/plain",
                       e->client + "|" + (e->secure ? "secure" : "clear") + "|" + e->authorization,
                       {}});
                }) {
    wrong = server_.listen();
    thread_ = std::thread([this] { server_.run(); });
  }
  ~Echo() {
    server_.stop();
    thread_.join();
  }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;

  // The answer's last line, to a request with these headers.
  [[nodiscard]] std::string ask(const std::string& headers) const {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server_.address().port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + headers + "\r\n";
    std::string got;
    if (connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
        send(socket, text.data(), text.size(), MSG_NOSIGNAL) > 0) {
      char piece[4'096];
      for (ssize_t n = 0; (n = recv(socket, piece, sizeof piece, 0)) > 0;) {
        got.append(piece, static_cast<std::size_t>(n));
      }
    }
    close(socket);
    return got.substr(got.rfind('\n') + 1);
  }

  std::string wrong;

 private:
  Server server_;
  std::thread thread_;
};

const std::string forwarded =
    "X-Forwarded-For: 9.9.9.9\r\nx-forwarded-for: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n";

TEST(Exchange, HasTheClientTheWayAndTheAuthorization) {
  const Echo echo({});
  ASSERT_EQ(echo.wrong, "");
  EXPECT_EQ(echo.ask(""), "127.0.0.1|clear|");
  EXPECT_EQ(echo.ask("authorization: Bearer abc  \r\n"), "127.0.0.1|clear|Bearer abc");
  EXPECT_EQ(echo.ask(forwarded), "127.0.0.1|clear|");
  EXPECT_EQ(echo.ask("Authorization: a\r\nAuthorization: a\r\n"),
            "the request has two Authorization headers");
}

TEST(Exchange, HasTheClientThatATrustedProxyNames) {
  const Echo echo({parse_network("127.0.0.0/8").value()});
  ASSERT_EQ(echo.wrong, "");
  EXPECT_EQ(echo.ask(forwarded), "192.0.2.1|secure|");
  EXPECT_EQ(echo.ask("X-Forwarded-For: 192.0.2.1, 127.0.0.9\r\n"), "192.0.2.1|clear|");
}

TEST(Server, SaysWhyItCannotUseItsCertificate) {
  Server server({.address = {"127.0.0.1", 0},
                 .tls = TlsFiles{"/no-such-folder/certificate", "/no-such-folder/key"},
                 .connections_max = 8},
                [](const ExchangeRef&) {});
  EXPECT_EQ(server.listen(),
            "the certificate file /no-such-folder/certificate cannot be opened: No such file or "
            "directory");
}

}  // namespace
}  // namespace millrace::http
