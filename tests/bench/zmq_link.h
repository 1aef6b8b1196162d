// A ZeroMQ socket of a benchmark program, without queue limits, that waits only as long as its
// timeout: a measurement that hangs ends with a message.
#pragma once

#include <zmq.h>
#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::bench {

inline constexpr int patience_ms = 60'000;

// A message; moved by zmq_msg_move, never copied.
class Frame {
 public:
  Frame() { zmq_msg_init(&message_); }
  explicit Frame(std::size_t bytes) { zmq_msg_init_size(&message_, bytes); }
  ~Frame() { zmq_msg_close(&message_); }
  Frame(Frame&& other) noexcept : Frame() { zmq_msg_move(&message_, &other.message_); }
  Frame& operator=(Frame&& other) noexcept {
    zmq_msg_move(&message_, &other.message_);
    return *this;
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  [[nodiscard]] zmq_msg_t* raw() { return &message_; }
  [[nodiscard]] char* data() { return static_cast<char*>(zmq_msg_data(&message_)); }
  [[nodiscard]] std::size_t size() { return zmq_msg_size(&message_); }
  [[nodiscard]] std::string_view view() { return {data(), size()}; }

 private:
  zmq_msg_t message_{};
};

class Context {
 public:
  Context() : raw_(zmq_ctx_new()) { zmq_ctx_set(raw_, ZMQ_MAX_SOCKETS, sockets_max); }
  ~Context() { zmq_ctx_term(raw_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  [[nodiscard]] void* raw() const { return raw_; }

 private:
  static constexpr int sockets_max = 16'384;
  void* raw_;
};

class Link {
 public:
  Link(Context& context, int type);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void bind(const std::string& endpoint);
  void connect(const std::string& endpoint);
  void send(Frame frame, int flags = 0);
  void send(std::string_view bytes, int flags = 0);
  // False when nothing came within wait_ms; 0 only looks.
  [[nodiscard]] bool receive(Frame& frame, int wait_ms = patience_ms);
  [[nodiscard]] void* raw() const { return raw_; }

 private:
  void* raw_;
};

// Waits for a message on one of two links, at most wait_ms.
void wait_for_either(const Link& one, const Link& other, int wait_ms);

}  // namespace millrace::bench
