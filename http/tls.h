// TLS of one connection, by OpenSSL in memory: what the peer sent goes in, its text comes out, and
// the other way round. It has no socket. Versions 1.2 and 1.3, no renegotiation, no resumption.
// Threads: the loop's.
#pragma once

#include <openssl/types.h>
#include <memory>
#include <string>
#include <string_view>

namespace millrace::http {

class TlsSession {
 public:
  explicit TlsSession(SSL_CTX* context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Step {
    well,
    plain_text,  // the peer's first byte is of a plain HTTP request: nothing was taken
    ended,       // the peer has said that it sends nothing more
    fault,       // nothing after it can be understood; outgoing() has the alert
  };
  // Appends what the bytes say to *plain. Afterwards outgoing() may have bytes for the peer.
  Step receive(std::string_view bytes, std::string* plain);
  [[nodiscard]] std::string outgoing();
  // The text as bytes for the peer; last: and that nothing follows. Empty where it fails.
  [[nodiscard]] std::string sealed(std::string_view plain, bool last);
  // That nothing follows, unless it was said or cannot be.
  [[nodiscard]] std::string farewell();
  [[nodiscard]] bool established() const;
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  SSL* const session_;
  BIO* in_ = nullptr;  // both are the session's
  BIO* out_ = nullptr;
  bool begun_ = false, ended_ = false, failed_ = false;
};

}  // namespace millrace::http
