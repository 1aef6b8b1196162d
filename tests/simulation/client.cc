#include "client.h"

#include "wire/codec.h"

#include <algorithm>

namespace millrace::testing {

Client::Client(Surroundings& around, std::size_t index, const std::string& name)
    : around_(around), index_(index), name_(name), random_(around.plan.seed * 1'000 + index) {
  new_session();
}

void Client::new_session() {
  for (auto& byte : session_) byte = static_cast<std::uint8_t>(random_());
}

void Client::kill() {
  HistoryEvent crash;
  crash.kind = EventKind::crash;
  crash.word = role() == wire::Role::worker ? "worker" : "producer";
  crash.name = process();
  around_.recorder.add(std::move(crash));
  around_.network.reset(index_, percent(50));
  forget();
  ++life_;
  new_session();
  open_.clear();
  welcome_ = begun_ = false;
  dead_until_ms_ = now_ms() + draw_ms(20, 600);
}

std::uint64_t Client::ask(wire::Verb verb, std::string body) {
  open_[++correlation_] = now_ms();
  around_.network.send_up(index_, wire::encode_header(verb, correlation_), std::move(body));
  return correlation_;
}

void Client::tell(wire::Verb verb, std::string body) {
  around_.network.send_up(index_, wire::encode_header(verb, ++correlation_), std::move(body));
}

void Client::hello(const wire::Hello& message) {
  welcome_ = false;
  open_.clear();
  hello_ = ask(wire::Verb::hello, wire::encode(message));
}

void Bystander::say_hello() {
  wire::Hello message;
  message.role = role();
  message.session = session();
  message.name = name_;
  forget();
  hello(message);
}

void Client::start_over() {
  around_.network.reconnect(index_);
  say_hello();
}

void Client::take(const Letter& letter) {
  const auto header = wire::decode_header(letter.header);
  if (!header) {
    around_.recorder.violation = "the broker sent a header that cannot be read";
    return;
  }
  const auto verb = static_cast<wire::Verb>(header->verb);
  const std::uint64_t correlation = header->correlation;
  if (verb != wire::Verb::ok && verb != wire::Verb::error) return told(verb, letter.body);
  if (open_.erase(correlation) == 0) return;  // answered before, or given up
  if (verb == wire::Verb::ok && correlation == hello_) {
    const auto answer = wire::decode<wire::HelloOk>(letter.body);
    welcome_ = answer.has_value();
    if (welcome_) welcomed(*answer);
    return;
  }
  if (verb == wire::Verb::ok) return answered(correlation, letter.body);
  const auto error = wire::decode<wire::ErrorBody>(letter.body);
  const std::string_view code = error ? error->code : "invalid";
  if (code == "no_session") return say_hello();
  refused(correlation, code);
}

void Client::step() {
  if (now_ms() < std::max(paused_until_ms_, dead_until_ms_)) return;
  if (!std::exchange(begun_, true)) {
    around_.recorder.add(EventKind::start, role() == wire::Role::worker ? "worker" : "producer",
                         process());
    start_over();
  }
  Letter letter;
  while (around_.network.next_down(index_, letter)) take(letter);
  const bool silent = std::any_of(open_.begin(), open_.end(), [this](const auto& request) {
    return now_ms() - request.second > patience_ms();
  });
  if (silent) return start_over();
  if (!welcome_) return;
  act();
  if (now_ms() - beat_ms_ < 200) return;
  beat_ms_ = now_ms();
  ask(wire::Verb::heartbeat, wire::encode(wire::Empty{}));
}

}  // namespace millrace::testing
