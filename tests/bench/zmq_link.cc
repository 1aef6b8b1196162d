#include "zmq_link.h"

#include "options.h"

#include <array>

namespace millrace::bench {

Link::Link(Context& context, int type) : raw_(zmq_socket(context.raw(), type)) {
  const int none = 0, linger_ms = 1'000;
  for (const int option : {ZMQ_SNDHWM, ZMQ_RCVHWM}) {
    zmq_setsockopt(raw_, option, &none, sizeof none);
  }
  zmq_setsockopt(raw_, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
}

Link::~Link() { zmq_close(raw_); }

void Link::bind(const std::string& endpoint) {
  if (zmq_bind(raw_, endpoint.c_str()) != 0) give_up("cannot listen on " + endpoint);
}

void Link::connect(const std::string& endpoint) {
  if (zmq_connect(raw_, endpoint.c_str()) != 0) give_up("cannot connect to " + endpoint);
}

void Link::send(Frame frame, int flags) {
  if (zmq_msg_send(frame.raw(), raw_, flags) < 0) give_up("a message could not be sent");
}

void Link::send(std::string_view bytes, int flags) {
  if (zmq_send(raw_, bytes.data(), bytes.size(), flags) < 0) give_up("a message could not be sent");
}

bool Link::receive(Frame& frame, int wait_ms) {
  if (zmq_msg_recv(frame.raw(), raw_, ZMQ_DONTWAIT) >= 0) return true;
  zmq_pollitem_t item{raw_, 0, ZMQ_POLLIN, 0};
  return wait_ms > 0 && zmq_poll(&item, 1, wait_ms) > 0 &&
         zmq_msg_recv(frame.raw(), raw_, ZMQ_DONTWAIT) >= 0;
}

void wait_for_either(const Link& one, const Link& other, int wait_ms) {
  std::array<zmq_pollitem_t, 2> items{
      {{one.raw(), 0, ZMQ_POLLIN, 0}, {other.raw(), 0, ZMQ_POLLIN, 0}}};
  zmq_poll(items.data(), static_cast<int>(items.size()), wait_ms);
}

}  // namespace millrace::bench
