#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <utility>

namespace millrace::http {
namespace {

constexpr std::size_t record_bytes_max = 16U << 10;

// A client hello begins with another byte.
bool begins_a_method(std::string_view bytes) {
  return !bytes.empty() && bytes.front() >= 'A' && bytes.front() <= 'Z';
}

}  // namespace

TlsSession::TlsSession(SSL_CTX* context) : session_(SSL_new(context)) {
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  failed_ = session_ == nullptr || in_ == nullptr || out_ == nullptr;
  if (failed_) {
    BIO_free(std::exchange(in_, nullptr));
    BIO_free(std::exchange(out_, nullptr));
    return;
  }
  BIO_set_mem_eof_return(in_, -1);  // nothing there is not the end
  SSL_set_bio(session_, in_, out_);
  SSL_set_accept_state(session_);
}

TlsSession::~TlsSession() { SSL_free(session_); }

bool TlsSession::established() const { return !failed_ && SSL_is_init_finished(session_) == 1; }

TlsSession::Step TlsSession::receive(std::string_view bytes, std::string* plain) {
  if (failed_) return Step::fault;
  if (!std::exchange(begun_, true) && begins_a_method(bytes)) return Step::plain_text;
  ERR_clear_error();
  BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
  char piece[record_bytes_max];
  std::size_t count = 0;
  while (SSL_read_ex(session_, piece, sizeof piece, &count) == 1) plain->append(piece, count);
  switch (SSL_get_error(session_, 0)) {
    case SSL_ERROR_WANT_READ: return Step::well;
    case SSL_ERROR_ZERO_RETURN: ended_ = true; return Step::ended;
    default: failed_ = true; return Step::fault;
  }
}

std::string TlsSession::outgoing() {
  if (out_ == nullptr) return {};
  std::string bytes(BIO_ctrl_pending(out_), '\0');
  if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

std::string TlsSession::sealed(std::string_view plain, bool last) {
  if (!established()) return {};
  ERR_clear_error();
  std::size_t count = 0;
  if (SSL_write_ex(session_, plain.data(), plain.size(), &count) != 1) {
    failed_ = true;
    return {};
  }
  if (last) SSL_shutdown(session_);
  return outgoing();
}

std::string TlsSession::farewell() {
  if (!established() || (SSL_get_shutdown(session_) & SSL_SENT_SHUTDOWN) != 0) return {};
  ERR_clear_error();
  SSL_shutdown(session_);
  return outgoing();
}

}  // namespace millrace::http
