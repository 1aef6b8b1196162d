// The certificate and the private key that the server shows: read from files, which may be replaced
// while it runs. A new pair that cannot be used leaves the one before in use.
// Threads: the loop's.
#pragma once

#include "http/server.h"

#include <openssl/types.h>
#include <sys/stat.h>
#include <memory>
#include <string>

namespace millrace::http {

using TlsContext = std::shared_ptr<SSL_CTX>;  // a session keeps the one that it began with

struct ReadCertificate {
  TlsContext context;
  std::string wrong;    // a sentence, where there is no context
  std::string expires;  // 2027-01-31 12:00:00 UTC
  bool expired = false;
};
[[nodiscard]] ReadCertificate read_certificate(const TlsFiles& files);

class Certificate {
 public:
  using Report = std::function<void(bool well, const std::string& what)>;
  Certificate(TlsFiles files, Report report);

  // Before the first session, too. Empty when well, else why not.
  [[nodiscard]] std::string load();
  void look();    // reads files that have changed; call it every second
  void reload();  // reads them in any case
  [[nodiscard]] SSL_CTX* context() const { return context_.get(); }

 private:
  // What changes when a file is replaced or written.
  struct Stamp {
    ino_t inode = 0;
    off_t bytes = 0;
    timespec written{}, changed{};
  };
  [[nodiscard]] static Stamp stamp_of(const std::string& path);
  [[nodiscard]] static bool same(const Stamp& a, const Stamp& b);

  TlsFiles files_;
  Report report_;
  TlsContext context_;
  Stamp certificate_, key_;  // of what is in use
  std::string trouble_;      // of the last look
  bool reported_ = false;    // trouble_ was
};

}  // namespace millrace::http
