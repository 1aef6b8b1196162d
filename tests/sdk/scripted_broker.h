// A scripted broker: the test chooses its every message, for cases that are rare with a real one. A
// socket, one peer, the project's own codec. Threads: one.
#pragma once

#include "wire/codec.h"

#include <gtest/gtest.h>
#include <zmq.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::testing {

class ScriptedBroker {
 public:
  ScriptedBroker() {
    const int patience_ms = 60'000, none = 0;
    zmq_setsockopt(router_, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    zmq_setsockopt(router_, ZMQ_LINGER, &none, sizeof none);
    zmq_bind(router_, "tcp://127.0.0.1:*");
    char name[64] = {};
    std::size_t size = sizeof name;
    zmq_getsockopt(router_, ZMQ_LAST_ENDPOINT, name, &size);
    endpoint = name;
  }
  ~ScriptedBroker() {
    zmq_close(router_);
    zmq_ctx_term(context_);
  }
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;

  // The verb and the body of the peer's next message but heartbeats.
  std::pair<wire::Verb, std::string> next() {
    std::string body;
    do {
      peer_ = part();
      header_ = wire::decode_header(part()).value();
      body = part();
    } while (header_.verb == static_cast<std::uint64_t>(wire::Verb::heartbeat));
    return {static_cast<wire::Verb>(header_.verb), std::move(body)};
  }
  // The next message must be of this verb; returns its body.
  std::string expect(wire::Verb verb) {
    auto [came, body] = next();
    EXPECT_EQ(wire::verb_name(static_cast<std::uint64_t>(came)),
              wire::verb_name(static_cast<std::uint64_t>(verb)));
    return body;
  }
  // HELLO and both questions for the topology, of a producer that has jobs of one topic.
  void welcome(std::size_t partitions = 1) {
    (void)expect(wire::Verb::hello);
    answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
    const std::vector<std::uint64_t> owners(partitions, 0);
    for (int asked = 0; asked < 2; ++asked) {
      (void)expect(wire::Verb::topology);
      answer(wire::TopologyOk{.shards = {{endpoint}}, .default_partitions = owners});
    }
  }
  // HELLO of a worker, the first time its question for the topology, and its SUBSCRIBE, whose body
  // is returned.
  std::string welcome_worker(bool first = true) {
    (void)expect(wire::Verb::hello);
    answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
    if (first) {
      (void)expect(wire::Verb::topology);
      answer(wire::TopologyOk{.shards = {{endpoint}}, .default_partitions = {0}});
    }
    std::string body = expect(wire::Verb::subscribe);
    answer(wire::Empty{});
    return body;
  }
  // DRAIN and GOODBYE of one that stops; it waits meanwhile on a thread of its own.
  void farewell_worker() {
    (void)expect(wire::Verb::drain);
    answer(wire::Empty{});
    (void)expect(wire::Verb::goodbye);
    answer(wire::Empty{});
  }
  // To the message that was expected last.
  template <typename Body>
  void answer(const Body& body) {
    send(wire::Verb::ok, header_.correlation, wire::encode(body));
  }
  // With bytes that our codec did not write; the other is told unasked.
  void answer_bytes(wire::Verb verb, std::string_view body) {
    send(verb, header_.correlation, body);
  }
  void tell_bytes(wire::Verb verb, std::string_view body) { send(verb, 0, body); }
  // An OK of another shape: its header, and any number of parts behind it.
  void answer_parts(const std::vector<std::string>& bodies) {
    zmq_send(router_, peer_.data(), peer_.size(), ZMQ_SNDMORE);
    const std::string header = wire::encode_header(wire::Verb::ok, header_.correlation);
    zmq_send(router_, header.data(), header.size(), bodies.empty() ? 0 : ZMQ_SNDMORE);
    for (const std::string& body : bodies) {
      zmq_send(router_, body.data(), body.size(), &body == &bodies.back() ? 0 : ZMQ_SNDMORE);
    }
  }
  void refuse(std::string_view code, std::uint64_t retry_after_ms = 0) {
    send(wire::Verb::error, header_.correlation,
         wire::encode(
             wire::ErrorBody{.code = code, .message = "no", .retry_after_ms = retry_after_ms}));
  }
  template <typename Body>
  void tell(wire::Verb verb, const Body& body) {
    send(verb, 0, wire::encode(body));
  }

  std::string endpoint;

 private:
  std::string part() {
    zmq_msg_t message;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, router_, 0) < 0) throw std::runtime_error("no message came");
    std::string bytes(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    zmq_msg_close(&message);
    return bytes;
  }
  void send(wire::Verb verb, std::uint64_t correlation, std::string_view bytes) {
    const std::string header = wire::encode_header(verb, correlation);
    zmq_send(router_, peer_.data(), peer_.size(), ZMQ_SNDMORE);
    zmq_send(router_, header.data(), header.size(), ZMQ_SNDMORE);
    zmq_send(router_, bytes.data(), bytes.size(), 0);
  }

  void* context_ = zmq_ctx_new();
  void* router_ = zmq_socket(context_, ZMQ_ROUTER);
  std::string peer_;
  wire::Header header_;
};

}  // namespace millrace::testing
