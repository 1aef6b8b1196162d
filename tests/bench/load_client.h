// One session of a broker, directly over the protocol: it measures the broker and not the SDK.
// Errors end the process with a message. One thread each.
#pragma once

#include "options.h"
#include "zmq_link.h"

#include "wire/codec.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::bench {

class LoadClient {
 public:
  // Says HELLO and has its answer.
  LoadClient(Context& context, const std::string& endpoint, wire::Role role);
  ~LoadClient();  // says GOODBYE and has its answer, else its credit would keep taking jobs
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  void send(wire::Verb verb, std::string_view body);
  // The next message, whose body() lives until the one after it; false when none came in time. An
  // ERROR ends the process.
  [[nodiscard]] bool receive(wire::Verb& verb, int wait_ms = patience_ms);
  [[nodiscard]] std::string_view body() { return body_.view(); }
  template <typename Message>
  [[nodiscard]] Message decoded() {
    auto message = wire::decode<Message>(body());
    if (!message) give_up(message.error().message);
    return *std::move(message);
  }
  // The answer to what was sent last, when nothing else can come.
  void receive_ok();
  // Sends jobs with these payloads as the next batch of this producer.
  // open: batches sent before and not answered.
  void enqueue(std::string_view topic, std::uint64_t partition, std::vector<wire::NewJob> jobs,
               std::uint64_t open);
  [[nodiscard]] Link& link() { return link_; }

 private:
  Link link_;
  Frame body_;
  wire::Id id_{};
  std::uint64_t correlation_ = 0, batch_ = 0;
};

}  // namespace millrace::bench
