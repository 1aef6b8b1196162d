#include "http/certificate.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>

namespace millrace::http {
namespace {

constexpr std::size_t file_bytes_max = 1U << 20;
// For TLS 1.2; all of 1.3 are of this kind: forward secrecy, and encryption with authentication.
constexpr const char* ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Free>;
using X509Ref = std::unique_ptr<X509, Free>;
using KeyRef = std::unique_ptr<EVP_PKEY, Free>;

std::string system_error() { return std::generic_category().message(errno); }

// Of OpenSSL's last call.
std::string tls_error() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "unknown error" : reason;
}

// The text of a file; it is overwritten before its memory is free again.
struct Contents {
  Contents() = default;
  Contents(const Contents&) = delete;
  Contents& operator=(const Contents&) = delete;
  ~Contents() { OPENSSL_cleanse(text.data(), text.size()); }
  [[nodiscard]] Bio bio() const {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  }
  std::string text;
  struct stat found {};
};

// Empty, or why not; what: "the certificate file PATH". The reader asks nothing of a pipe's other
// end: nothing may block the loop.
std::string read_file(const std::string& what, const std::string& path, Contents* to) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return what + " cannot be opened: " + system_error();
  std::string wrong;
  if (fstat(file, &to->found) != 0 || !S_ISREG(to->found.st_mode)) {
    wrong = what + " is not a file";
  } else {
    to->text.resize(file_bytes_max);  // at once, so that no copy of a key is left behind
    const ssize_t count = read(file, to->text.data(), to->text.size());
    if (count < 0) wrong = what + " cannot be read: " + system_error();
    to->text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  }
  close(file);
  return wrong;
}

// Group root is root alone; systemd shows the access list of a credential there.
std::string open_to_others(const std::string& what, const std::string& path,
                           const struct stat& found) {
  const bool of_root = found.st_uid == 0 && found.st_gid == 0;
  if ((found.st_mode & (of_root ? 037U : 077U)) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", found.st_mode & 07777U);
    return what + " is accessible to other users (mode " + mode + "): run chmod 600 " + path;
  }
  if (found.st_uid == 0 || found.st_uid == geteuid()) return {};
  return what + " belongs to user " + std::to_string(found.st_uid) +
         ", who could replace the key: it must belong to root or to user " +
         std::to_string(geteuid()) + ", who runs this program (chown)";
}

int no_password(char* /*to*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

// The server's own certificate, then those of the authorities between it and the root.
std::string use_chain(SSL_CTX* context, const std::string& what, const Contents& file,
                      ReadCertificate* read) {
  const Bio bio = file.bio();
  const X509Ref own(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
  if (!own) return what + " does not begin with a certificate in PEM format: " + tls_error();
  if (SSL_CTX_use_certificate(context, own.get()) != 1) {
    return what + " cannot be used: " + tls_error();
  }
  for (;;) {
    X509Ref next(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
    if (!next) break;
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
      return what + " cannot be used: " + tls_error();
    }
    (void)next.release();
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return what + " is malformed after its first certificate: " + tls_error();
  }
  ERR_clear_error();
  std::tm until{};
  ASN1_TIME_to_tm(X509_get0_notAfter(own.get()), &until);
  char text[40];
  read->expires.assign(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &until));
  read->expired = X509_cmp_current_time(X509_get0_notAfter(own.get())) < 0;
  return {};
}

std::string use_key(SSL_CTX* context, const TlsFiles& files, const std::string& what,
                    const Contents& file) {
  const KeyRef key(PEM_read_bio_PrivateKey(file.bio().get(), nullptr, no_password, nullptr));
  if (!key) {
    return what + " has no private key in PEM format that can be used without a password";
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return what + " does not fit the certificate of " + files.certificate + " (" + tls_error() +
           "): both files must be of one pair";
  }
  return {};
}

int choose_protocol(SSL* /*session*/, const unsigned char** chosen, unsigned char* bytes,
                    const unsigned char* offered, unsigned offered_bytes, void* /*data*/) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, bytes, ours, sizeof ours - 1, offered, offered_bytes) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

// A handshake costs the same each time, and no key of a resumption outlives its certificate.
TlsContext new_context() {
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context.get(), ciphers);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  return context;
}

}  // namespace

ReadCertificate read_certificate(const TlsFiles& files) {
  ERR_clear_error();
  ReadCertificate read;
  const std::string chain_name = "the certificate file " + files.certificate;
  const std::string key_name = "the key file " + files.key;
  Contents chain, key;
  read.wrong = read_file(chain_name, files.certificate, &chain);
  if (read.wrong.empty()) read.wrong = read_file(key_name, files.key, &key);
  if (read.wrong.empty()) read.wrong = open_to_others(key_name, files.key, key.found);
  if (!read.wrong.empty()) return read;
  TlsContext context = new_context();
  if (!context) {
    read.wrong = "TLS cannot be set up: " + tls_error();
    return read;
  }
  read.wrong = use_chain(context.get(), chain_name, chain, &read);
  if (read.wrong.empty()) read.wrong = use_key(context.get(), files, key_name, key);
  if (read.wrong.empty()) read.context = std::move(context);
  return read;
}

std::string wrong_with(const TlsFiles& files) { return read_certificate(files).wrong; }

Certificate::Certificate(TlsFiles files, Report report)
    : files_(std::move(files)), report_(std::move(report)) {
  if (!report_) report_ = [](bool, const std::string&) {};
}

Certificate::Stamp Certificate::stamp_of(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return {};
  return {found.st_ino, found.st_size, found.st_mtim, found.st_ctim};
}

bool Certificate::same(const Stamp& a, const Stamp& b) {
  const auto equal = [](const timespec& x, const timespec& y) {
    return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
  };
  return a.inode == b.inode && a.bytes == b.bytes && equal(a.written, b.written) &&
         equal(a.changed, b.changed);
}

// The stamps are taken first: a file that changes while it is read is read again.
std::string Certificate::load() {
  const Stamp certificate = stamp_of(files_.certificate), key = stamp_of(files_.key);
  ReadCertificate read = read_certificate(files_);
  if (!read.wrong.empty()) return read.wrong;
  context_ = std::move(read.context);
  certificate_ = certificate;
  key_ = key;
  trouble_.clear();
  if (read.expired) {
    report_(false, "the certificate of " + files_.certificate + " has expired (" + read.expires +
                       "): clients refuse it, renew it");
  } else {
    report_(true,
            "the certificate of " + files_.certificate + " is in use, valid until " + read.expires);
  }
  return {};
}

// Two files cannot be replaced at one moment. So trouble is reported at the second look, and a pair
// that cannot be used is tried again at each.
void Certificate::look() {
  if (same(certificate_, stamp_of(files_.certificate)) && same(key_, stamp_of(files_.key))) {
    trouble_.clear();
    return;
  }
  const std::string wrong = load();
  if (wrong.empty()) return;
  if (wrong != std::exchange(trouble_, wrong)) {
    reported_ = false;
  } else if (!std::exchange(reported_, true)) {
    report_(false, wrong + "; the previous certificate stays in use");
  }
}

void Certificate::reload() {
  const std::string wrong = load();
  if (wrong.empty()) return;
  trouble_ = wrong;
  reported_ = true;
  report_(false, wrong + "; the previous certificate stays in use");
}

}  // namespace millrace::http
