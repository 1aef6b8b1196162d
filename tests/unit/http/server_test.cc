// What a handler learns of a request that came by a real connection, in the clear and by TLS.
#include "http/server.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace millrace::http {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(SSL* session) const { SSL_free(session); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// Of a pair that is valid for an hour, and goes with its folder.
class Pair {
 public:
  Pair() {
    const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
    const std::unique_ptr<X509, Free> certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3'600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    std::FILE* file = std::fopen(files().certificate.c_str(), "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
    file = std::fopen(files().key.c_str(), "w");
    fchmod(fileno(file), 0600);
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }
  ~Pair() {
    unlink(files().certificate.c_str());
    unlink(files().key.c_str());
    rmdir(folder_.c_str());
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  [[nodiscard]] TlsFiles files() const { return {folder_ + "/certificate", folder_ + "/key"}; }

 private:
  std::string folder_ = "/tmp/mr-XXXXXX";
};

// A server on loopback that answers each request with what its handler was given.
class Echo {
 public:
  explicit Echo(std::vector<Network> trusted, std::optional<TlsFiles> tls = std::nullopt)
      : server_({.address = {"127.0.0.1", 0},
                 .tls = std::move(tls),
                 .trusted_proxies = std::move(trusted),
                 .connections_max = 8,
                 .body_bytes_max = 2U << 20,
                 .bodies_bytes_max = 2U << 20,
                 .refusal =
                     [](int status, const std::string& why) {
                       return Response{status, "text/plain", why, {}};
                     }},
                [](const ExchangeRef& e) {
                  e->answer({200,
                             "text/plain",
                             e->client + "|" + (e->secure ? "secure" : "clear") + "|" +
                                 e->authorization + e->body,
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
    const std::string text = request(headers, "");
    const int socket = connected();
    std::string got;
    if (send(socket, text.data(), text.size(), MSG_NOSIGNAL) > 0) {
      char piece[4'096];
      for (ssize_t n = 0; (n = recv(socket, piece, sizeof piece, 0)) > 0;) {
        got.append(piece, static_cast<std::size_t>(n));
      }
    }
    close(socket);
    return got.substr(got.rfind('\n') + 1);
  }

  // The same by TLS; an answer that no close_notify follows might be cut.
  [[nodiscard]] std::string ask_by_tls(const std::string& headers, const std::string& body) const {
    const std::string text = request(headers, body);
    const int socket = connected();
    const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
    const std::unique_ptr<SSL, Free> session(SSL_new(context.get()));
    SSL_set_fd(session.get(), socket);
    std::string got;
    std::size_t count = 0;
    if (SSL_connect(session.get()) == 1 &&
        SSL_write_ex(session.get(), text.data(), text.size(), &count) == 1) {
      char piece[4'096];
      while (SSL_read_ex(session.get(), piece, sizeof piece, &count) == 1) got.append(piece, count);
      if (SSL_get_error(session.get(), 0) != SSL_ERROR_ZERO_RETURN) got += "\nno close_notify";
    }
    close(socket);
    return got.substr(got.rfind('\n') + 1);
  }

  std::string wrong;

 private:
  static std::string request(const std::string& headers, const std::string& body) {
    return "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
  }
  [[nodiscard]] int connected() const {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server_.address().port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    return socket;
  }

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

TEST(Exchange, HasWhatCameByTls) {
  const Pair pair;
  const Echo echo({}, pair.files());
  ASSERT_EQ(echo.wrong, "");
  EXPECT_EQ(echo.ask_by_tls("Authorization: Bearer abc\r\n", ""), "127.0.0.1|secure|Bearer abc");
  EXPECT_EQ(echo.ask_by_tls(forwarded, ""), "127.0.0.1|secure|");
}

TEST(Exchange, HasAndAnswersAMebibyteByTls) {
  const Pair pair;
  const Echo echo({}, pair.files());
  ASSERT_EQ(echo.wrong, "");
  std::string body;
  for (std::size_t i = 0; body.size() < 1U << 20; ++i) body += std::to_string(i) + " ";
  EXPECT_TRUE(echo.ask_by_tls("", body) == "127.0.0.1|secure|" + body);
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
