// A message of the protocol as ZeroMQ hands it over: its parts, without a copy. Header-only, so
// that the codec's library needs no ZeroMQ. Threads: those of the socket.
#pragma once

#include "wire/limits.h"

#include <zmq.h>
#include <cstddef>
#include <string_view>

namespace millrace::wire {

// Without the prefix that a socket of IPv6 puts before an address of IPv4.
[[nodiscard]] inline std::string_view plain_address(std::string_view address) {
  constexpr std::string_view mapped = "::ffff:";
  if (address.starts_with(mapped)) address.remove_prefix(mapped.size());
  return address;
}

class MessagePart {
 public:
  MessagePart() { zmq_msg_init(&part_); }
  ~MessagePart() { zmq_msg_close(&part_); }
  MessagePart(const MessagePart&) = delete;
  MessagePart& operator=(const MessagePart&) = delete;

  // Of what is waiting, in place of what it held; false: nothing is.
  [[nodiscard]] bool receive(void* socket) {
    return zmq_msg_recv(&part_, socket, ZMQ_DONTWAIT) >= 0;
  }
  // The same, after a wait for it, as long as the socket's options allow.
  [[nodiscard]] bool wait(void* socket) { return zmq_msg_recv(&part_, socket, 0) >= 0; }
  [[nodiscard]] bool more() const { return zmq_msg_more(&part_) != 0; }  // of the same message
  [[nodiscard]] std::string_view view() {
    return {static_cast<const char*>(zmq_msg_data(&part_)), zmq_msg_size(&part_)};
  }
  // The descriptor of the connection that it came by; -1 where that is not known.
  [[nodiscard]] int descriptor() const { return zmq_msg_get(&part_, ZMQ_SRCFD); }
  // The key that its connection proved to have, as the ZAP handler named it; empty: it has none.
  [[nodiscard]] std::string_view user_id() { return property("User-Id"); }
  // The address that its connection comes from; empty where that is not known.
  [[nodiscard]] std::string_view peer_address() { return plain_address(property("Peer-Address")); }

 private:
  // Valid as long as the message is.
  [[nodiscard]] std::string_view property(const char* name) {
    const char* const text = zmq_msg_gets(&part_, name);
    return text == nullptr ? std::string_view() : std::string_view(text);
  }

  zmq_msg_t part_{};
};

struct MessageParts {
  MessagePart header, body;
};

enum class Received { nothing, two_parts, other_shape };

// Reads to the end of a message, and drops the parts that are too many. ZeroMQ hands over whole
// messages, so that either nothing is there or all of it.
[[nodiscard]] inline Received receive(void* socket, MessageParts& to) {
  MessagePart dropped;
  MessagePart* const wanted[parts_max] = {&to.header, &to.body};
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    MessagePart& part = count < parts_max ? *wanted[count] : dropped;
    if (!part.receive(socket)) return Received::nothing;
    more = part.more();
  }
  return count == parts_max ? Received::two_parts : Received::other_shape;
}

}  // namespace millrace::wire
