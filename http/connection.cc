#include "http/connection.h"

#include "http/response.h"

#include <algorithm>

namespace millrace::http {
namespace {

using std::chrono::milliseconds;

// A whole request line with its headers has to be there by then.
constexpr milliseconds head_patience_max{5'000};
// After a refusal what the client is still sending is read and dropped, so that it reads why.
constexpr milliseconds linger_patience{2'000};
constexpr std::uint64_t linger_bytes_max = 64U << 20;
constexpr std::size_t read_bytes = 64U << 10;
constexpr std::size_t small_body_bytes = 64U << 10;  // is taken however much others hold
// What TLS itself has to say may wait for a client that does not read, up to here.
constexpr std::size_t beside_bytes_max = 64U << 10;

Connection* self_of(const void* data) { return static_cast<Connection*>(const_cast<void*>(data)); }

// One loop thread, and what is read is taken before the next read.
void lend_buffer(uv_handle_t* /*handle*/, std::size_t /*wanted*/, uv_buf_t* buffer) {
  thread_local std::string room(read_bytes, '\0');
  *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
}

// What is sent and is not the response; it owns its bytes.
struct Beside {
  uv_write_t writing{};
  std::string bytes;
};

std::string peer_of(const uv_tcp_t& socket) {
  sockaddr_storage address{};
  int bytes = sizeof address;
  char text[INET6_ADDRSTRLEN] = "";
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  if (uv_tcp_getpeername(&socket, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return {};
  return uv_ip_name(any, text, sizeof text) == 0 ? text : "";
}

}  // namespace

Connection::Connection(ConnectionOwner& owner, uv_loop_t* loop)
    : owner_(owner), reader_(owner.options().body_bytes_max) {
  uv_tcp_init(loop, &socket_);
  socket_.data = writing_.data = shutting_.data = this;
}

bool Connection::accept(uv_stream_t* listener) {
  if (uv_accept(listener, reinterpret_cast<uv_stream_t*>(&socket_)) != 0) return false;
  uv_tcp_nodelay(&socket_, 1);
  peer_ = peer_of(socket_);
  if (SSL_CTX* tls = owner_.tls()) tls_ = std::make_unique<TlsSession>(tls);
  await(std::min(head_patience_max, owner_.options().patience));
  request_deadline_ms_ = in(owner_.options().message_patience);
  read_more();
  return true;
}

std::uint64_t Connection::in(milliseconds span) const {
  return uv_now(socket_.loop) + static_cast<std::uint64_t>(span.count());
}

void Connection::await(milliseconds span) { deadline_ms_ = in(span); }

void Connection::read_more() {
  uv_read_start(reinterpret_cast<uv_stream_t*>(&socket_), lend_buffer, on_bytes);
}

void Connection::on_bytes(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  Connection& self = *self_of(stream->data);
  if (count == 0) return;
  if (count < 0) return self.close();
  const auto bytes = static_cast<std::size_t>(count);
  if (self.state_ != State::lingering) {
    return self.tls_ ? self.open({buffer->base, bytes}) : self.take({buffer->base, bytes});
  }
  self.lingered_bytes_ += bytes;
  if (self.lingered_bytes_ > linger_bytes_max) self.close();
}

// Only text counts as progress: who has not sent a request yet keeps the deadline of the accept.
void Connection::open(std::string_view sealed) {
  std::string plain;
  const bool in_handshake = !tls_->established();
  const auto step = tls_->receive(sealed, &plain);
  if (step == TlsSession::Step::plain_text) {
    tls_.reset();
    return refuse(400, "this port accepts HTTPS only: use an https:// address");
  }
  if (step == TlsSession::Step::fault) {
    if (in_handshake) ++owner_.counters().handshakes_failed;
    uv_read_stop(reinterpret_cast<uv_stream_t*>(&socket_));
    return send(tls_->outgoing(), true, true);  // the alert, which says why
  }
  send_beside(tls_->outgoing());
  const bool reads =
      uv_stream_get_write_queue_size(reinterpret_cast<uv_stream_t*>(&socket_)) < beside_bytes_max;
  if (!reads || (plain.empty() && tls_->ended())) return close();
  if (!plain.empty()) take(plain);
}

void Connection::take(std::string_view bytes) {
  const bool was_begun = reader_.begun();
  const auto step = reader_.read(&bytes);
  if (!was_begun) {  // from here on a whole head is waited for, and a trickle does not help
    await(std::min(head_patience_max, owner_.options().patience));
    request_deadline_ms_ = in(owner_.options().message_patience);
  } else if (reader_.in_body()) {
    await(owner_.options().patience);
  }
  hold(reader_.request().body.size());
  if (held_ > small_body_bytes && owner_.held_bytes() > owner_.options().bodies_bytes_max) {
    return refuse(503,
                  "the bodies of other requests use all memory that is allowed for them: this "
                  "request was not handled");
  }
  switch (step) {
    case RequestReader::Step::more: return;
    case RequestReader::Step::go_ahead: return go_ahead();
    case RequestReader::Step::fault: return refuse(reader_.fault().status, reader_.fault().message);
    case RequestReader::Step::whole: break;
  }
  uv_read_stop(reinterpret_cast<uv_stream_t*>(&socket_));
  ahead_ = bytes;
  state_ = State::asked;
  owner_.on_spoken(this);
  owner_.on_request(shared_from_this());
}

void Connection::hold(std::size_t bytes) {
  owner_.held_bytes() = owner_.held_bytes() - held_ + bytes;
  owner_.counters().body_bytes = owner_.held_bytes();
  held_ = bytes;
}

void Connection::go_ahead() {
  constexpr std::string_view words = "HTTP/1.1 100 Continue\r\n\r\n";
  send_beside(tls_ ? tls_->sealed(words, false) : std::string(words));
}

void Connection::send_beside(std::string bytes) {
  if (bytes.empty()) return;
  auto* beside = new Beside{{}, std::move(bytes)};
  beside->writing.data = beside;
  const uv_buf_t buffer =
      uv_buf_init(beside->bytes.data(), static_cast<unsigned>(beside->bytes.size()));
  const int failed = uv_write(&beside->writing, reinterpret_cast<uv_stream_t*>(&socket_), &buffer,
                              1, [](uv_write_t* w, int) { delete static_cast<Beside*>(w->data); });
  if (failed != 0) delete beside;
}

void Connection::answer(const Response& response) {
  if (state_ != State::asked) return;
  write(response, !reader_.request().keep_alive || owner_.last_answers(), false);
}

void Connection::refuse(int status, const std::string& why) {
  if (state_ != State::reading && state_ != State::asked) return;
  uv_read_stop(reinterpret_cast<uv_stream_t*>(&socket_));
  write(owner_.options().refusal(status, why), true, true);
}

void Connection::write(const Response& response, bool last, bool linger) {
  const Request& request = reader_.request();
  std::string text = response_text(response, {.head_only = request.method == "HEAD",
                                              .last = last,
                                              .old_keep_alive = request.old && !last});
  ++owner_.counters().responses[static_cast<std::size_t>(std::clamp(response.status, 0, 599))];
  send(tls_ ? tls_->sealed(text, last) : std::move(text), last, linger);
}

void Connection::send(std::string bytes, bool last, bool linger) {
  state_ = State::writing;
  hold(0);
  last_ = last;
  linger_ = linger;
  out_ = std::move(bytes);
  if (out_.empty()) return close();
  await(owner_.options().message_patience);
  const uv_buf_t buffer = uv_buf_init(out_.data(), static_cast<unsigned>(out_.size()));
  const int failed =
      uv_write(&writing_, reinterpret_cast<uv_stream_t*>(&socket_), &buffer, 1,
               [](uv_write_t* w, int status) { self_of(w->data)->written(status == 0); });
  if (failed != 0) close();
}

void Connection::written(bool well) {
  if (state_ != State::writing) return;
  if (!well || (last_ && !linger_)) return close();
  if (last_) {
    state_ = State::lingering;
    await(linger_patience);
    uv_shutdown(&shutting_, reinterpret_cast<uv_stream_t*>(&socket_), [](uv_shutdown_t*, int) {});
    return read_more();
  }
  out_.clear();
  reader_.next();
  state_ = State::reading;
  await(owner_.options().keep_alive);
  owner_.on_idle(this);
  read_more();
  if (const std::string ahead = std::exchange(ahead_, {}); !ahead.empty()) take(ahead);
  if (tls_ && tls_->ended() && idle()) close();
}

void Connection::look_at_clock() {
  const std::uint64_t now = uv_now(socket_.loop);
  const bool reading = state_ == State::reading;
  const bool in_request = reading && reader_.begun();
  const bool late = now >= deadline_ms_ || (in_request && now >= request_deadline_ms_);
  if (!late || state_ == State::asked || state_ == State::closed) return;
  if (state_ != State::lingering) ++owner_.counters().expired;
  if (in_request) return refuse(408, "the request was not received completely in time");
  close();
}

// As far as the socket takes it at once.
void Connection::say_farewell() {
  std::string bytes = tls_ ? tls_->farewell() : std::string();
  if (bytes.empty()) return;
  const uv_buf_t buffer = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
  uv_try_write(reinterpret_cast<uv_stream_t*>(&socket_), &buffer, 1);
}

void Connection::close() {
  if (std::exchange(state_, State::closed) == State::closed) return;
  hold(0);
  say_farewell();
  owner_.on_closing(this);
  uv_close(reinterpret_cast<uv_handle_t*>(&socket_), [](uv_handle_t* handle) {
    Connection* self = self_of(handle->data);
    self->owner_.on_closed(self);
  });
}

}  // namespace millrace::http
