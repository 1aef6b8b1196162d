// The measuring client: frames out, frames in, a window of open batches.
#include "load_client.h"

#include "wire/codec.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

namespace millrace::bench {
namespace {

constexpr const char* topic = "bench";
constexpr std::size_t partitions = 8;  // of a topic that is made on first use
constexpr std::uint64_t credit = 4'096;
constexpr int patience_ms = 30'000;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::exit(1);
}

template <typename Message>
Message decoded(std::string_view frame) {
  auto message = wire::decode<Message>(frame);
  if (!message) give_up(message.error().message);
  return *std::move(message);
}

wire::Id random_id() {
  std::random_device source;
  wire::Id id{};
  for (auto& byte : id) byte = static_cast<std::uint8_t>(source());
  return id;
}

}  // namespace

LoadClient::LoadClient(const std::string& endpoint, wire::Role role)
    : context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_DEALER)), id_(random_id()) {
  const int none = 0;
  zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
  zmq_setsockopt(socket_, ZMQ_SNDHWM, &none, sizeof none);
  zmq_setsockopt(socket_, ZMQ_RCVHWM, &none, sizeof none);
  zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
  zmq_msg_init(&body_);
  if (zmq_connect(socket_, endpoint.c_str()) != 0) give_up("cannot connect to " + endpoint);
  send(wire::Verb::hello, wire::encode(wire::Hello{.role = role, .session = id_, .name = "bench"}));
  receive_ok();
}

LoadClient::~LoadClient() {
  // Else its credit would keep taking jobs until the lease ends.
  send(wire::Verb::goodbye, wire::encode(wire::Empty{}));
  while (receive() != wire::Verb::ok) {
  }
  zmq_msg_close(&body_);
  zmq_close(socket_);
  zmq_ctx_term(context_);
}

void LoadClient::send(wire::Verb verb, std::string_view body) {
  const std::string header = wire::encode_header(verb, ++correlation_);
  if (zmq_send(socket_, header.data(), header.size(), ZMQ_SNDMORE) < 0 ||
      zmq_send(socket_, body.data(), body.size(), 0) < 0) {
    give_up("a message could not be sent");
  }
}

wire::Verb LoadClient::receive() {
  std::array<char, 64> header{};
  const int size = zmq_recv(socket_, header.data(), header.size(), 0);
  if (size < 0 || zmq_msg_recv(&body_, socket_, 0) < 0) give_up("the broker did not answer");
  const auto read = wire::decode_header({header.data(), static_cast<std::size_t>(size)});
  if (!read) give_up(read.error().message);
  const auto verb = static_cast<wire::Verb>(read->verb);
  if (verb == wire::Verb::error) {
    const auto error = decoded<wire::ErrorBody>(body());
    give_up(std::string(error.code) + ": " + std::string(error.message));
  }
  return verb;
}

void LoadClient::receive_ok() {
  if (receive() != wire::Verb::ok) give_up("an answer was awaited, another message came");
}

std::string_view LoadClient::body() {
  return {static_cast<const char*>(zmq_msg_data(&body_)), zmq_msg_size(&body_)};
}

void LoadClient::produce(const Load& load) {
  const std::string payload(load.payload_bytes, 'p');
  wire::Enqueue batch{.topic = topic, .producer = id_, .epoch = 1};
  std::size_t left = load.jobs, open = 0;
  while (left > 0 || open > 0) {
    while (left > 0 && open < load.window) {
      batch.jobs.assign(std::min(left, load.batch), {.payload = payload});
      batch.partition = ++batch.batch % partitions;
      send(wire::Verb::enqueue, wire::encode(batch));
      left -= batch.jobs.size();
      ++open;
    }
    receive_ok();
    --open;
  }
}

std::size_t LoadClient::settle() {
  const auto delivered = decoded<wire::Deliver>(body());
  wire::Settle settle{.credit = delivered.jobs.size()};
  for (const auto& job : delivered.jobs) settle.outcomes.push_back({.token = job.token});
  send(wire::Verb::settle, wire::encode(settle));
  return settle.outcomes.size();
}

void LoadClient::drain(std::size_t jobs) {
  send(wire::Verb::subscribe, wire::encode(wire::Subscribe{.topics = {topic}, .credit = credit}));
  std::deque<std::size_t> open{0};  // outcomes in each message that is not answered; SUBSCRIBE's 0
  for (std::size_t done = 0; done < jobs;) {
    const wire::Verb verb = receive();
    if (verb == wire::Verb::deliver) {
      open.push_back(settle());
    } else if (verb == wire::Verb::ok && !open.empty()) {
      if (open.front() > 0 && !decoded<wire::SettleOk>(body()).stale.empty()) {
        give_up("an outcome was stale");
      }
      done += open.front();
      open.pop_front();
    } else {
      give_up("the broker said " + std::string(wire::verb_name(static_cast<std::uint64_t>(verb))));
    }
  }
}

}  // namespace millrace::bench
