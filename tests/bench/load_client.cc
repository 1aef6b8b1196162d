#include "load_client.h"

#include <random>

namespace millrace::bench {
namespace {

wire::Id random_id() {
  std::random_device source;
  wire::Id id{};
  for (auto& byte : id) byte = static_cast<std::uint8_t>(source());
  return id;
}

}  // namespace

LoadClient::LoadClient(Context& context, const std::string& endpoint, wire::Role role)
    : link_(context, ZMQ_DEALER), id_(random_id()) {
  link_.connect(endpoint);
  send(wire::Verb::hello, wire::encode(wire::Hello{.role = role, .session = id_, .name = "bench"}));
  receive_ok();
}

LoadClient::~LoadClient() {
  send(wire::Verb::goodbye, wire::encode(wire::Empty{}));
  for (wire::Verb verb{}; receive(verb) && verb != wire::Verb::ok;) {
  }
}

void LoadClient::send(wire::Verb verb, std::string_view body) {
  link_.send(wire::encode_header(verb, ++correlation_), ZMQ_SNDMORE);
  link_.send(body);
}

bool LoadClient::receive(wire::Verb& verb, int wait_ms) {
  Frame header;
  if (!link_.receive(header, wait_ms)) return false;
  if (!link_.receive(body_)) give_up("a message came without its body");
  const auto read = wire::decode_header(header.view());
  if (!read) give_up(read.error().message);
  verb = static_cast<wire::Verb>(read->verb);
  if (verb == wire::Verb::error) {
    const auto error = decoded<wire::ErrorBody>();
    give_up(std::string(error.code) + ": " + std::string(error.message));
  }
  return true;
}

void LoadClient::receive_ok() {
  wire::Verb verb{};
  if (!receive(verb)) give_up("the broker did not answer");
  if (verb != wire::Verb::ok) give_up("an answer was awaited, another message came");
}

void LoadClient::enqueue(std::string_view topic, std::uint64_t partition,
                         std::vector<wire::NewJob> jobs, std::uint64_t open) {
  wire::Enqueue message{.topic = topic, .partition = partition, .producer = id_, .epoch = 1};
  message.answered = batch_ - open;
  message.batch = ++batch_;
  message.jobs = std::move(jobs);
  send(wire::Verb::enqueue, wire::encode(message));
}

}  // namespace millrace::bench
