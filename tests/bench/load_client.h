// A client of one shard for measuring: sdk/wire over a raw ZeroMQ DEALER, no resends. Whatever is
// not as expected ends the process with a sentence. One thread each.
#pragma once

#include "wire/messages.h"

#include <zmq.h>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::bench {

struct Load {
  std::string endpoint;
  std::size_t jobs = 0, payload_bytes = 0;
  std::size_t batch = 128;  // jobs in an ENQUEUE
  std::size_t window = 16;  // batches sent and not answered
};

class LoadClient {
 public:
  LoadClient(const std::string& endpoint, wire::Role role);  // says HELLO and has its answer
  ~LoadClient();                                             // says GOODBYE and has its answer
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // Enqueues load.jobs jobs with at most load.window batches open; returns when all are answered.
  void produce(const Load& load);
  // Subscribes and completes jobs of them until the broker has answered that many outcomes.
  void drain(std::size_t jobs);

 private:
  void send(wire::Verb verb, std::string_view body);
  wire::Verb receive();  // body() is that of the message
  void receive_ok();
  [[nodiscard]] std::string_view body();
  std::size_t settle();  // what DELIVER brought; the number of outcomes

  void* context_;
  void* socket_;
  zmq_msg_t body_{};
  wire::Id id_{};
  std::uint64_t correlation_ = 0;
};

}  // namespace millrace::bench
