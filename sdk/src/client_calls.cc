// Calls in flight.
#include "client_calls.h"

#include "options.h"
#include "wire/codec.h"
#include "wire/error_codes.h"
#include "wire/limits.h"

namespace millrace {
namespace {

Error unknown() {
  return {ErrorCode::outcome_unknown,
          "the broker did not answer in time: the request may or may not have been executed, so "
          "check the state before you repeat it",
          {}};
}

}  // namespace

struct ClientCalls::Call {
  Request request;
  std::vector<std::size_t> shards;  // empty: not routed yet
  std::vector<std::string> bodies;
  std::vector<bool> sent, have;
  std::size_t left = 0;
  bool done = false, any_sent = false;
  Clock::time_point sent_at;  // first
  std::optional<Error> error;
  // A topic made by its first job is known to that job's shard alone: when every shard is asked,
  // those that do not know it have nothing to say.
  std::optional<Error> unknown_topic;
};

ClientCalls::ClientCalls(ConnectionRef connection) : connection_(std::move(connection)) {
  if (inherited()) return;
  wrong_ = connection_->wrong();
  if (!wrong_) wrong_ = connection_->loop().start();
  if (wrong_) return;
  link_ = &connection_->shared_link(wire::Role::client);
  link_->add(*this);
}
ClientCalls::~ClientCalls() {
  if (connection_->here()) misuse("a Client is destroyed inside a callback of its Connection");
  if (link_ != nullptr) link_->remove(*this);
}

std::optional<Error> ClientCalls::wrong() const {
  if (inherited()) return made_before_fork("Client");
  if (wrong_ || !connection_->here()) return wrong_;
  return invalid(
      "a Client's call inside a callback of the same Connection would wait for itself: nothing was "
      "asked; ask from a thread of your own, or give the Client a Connection of its own");
}

Answers ClientCalls::ask(Request request, std::chrono::milliseconds timeout) {
  if (auto error = wrong()) return tl::unexpected(std::move(*error));
  Call call{.request = std::move(request)};
  std::unique_lock lock(mutex_);
  calls_.push_back(&call);
  connection_->loop().wake();
  const bool done = ended_.wait_until(lock, after(timeout), [&call] { return call.done; });
  if (!done) call.error = late(call);
  calls_.remove(&call);
  std::erase_if(sent_, [&call](const auto& entry) { return entry.second.first == &call; });
  if (call.error) return tl::unexpected(*call.error);
  return std::move(call.bodies);
}

Result<std::size_t> ClientCalls::shards(std::chrono::milliseconds timeout) {
  if (auto error = wrong()) return tl::unexpected(std::move(*error));
  std::unique_lock lock(mutex_);
  connection_->loop().wake();
  if (!ended_.wait_until(lock, after(timeout), [this] { return shards_known_ != 0; })) {
    return tl::unexpected(late(Call{}));
  }
  return shards_known_;
}

Error ClientCalls::late(const Call& call) const {
  if (call.any_sent && call.request.effect == Effect::changes) return unknown();
  if (call.any_sent) {
    return {ErrorCode::timeout, "the broker did not answer in time: try again", {}};
  }
  return {ErrorCode::unavailable,
          "no broker could be reached at " + connection_->options().brokers.front() +
              ": check that millraced is running and listens there",
          {}};
}

void ClientCalls::start(Call& call) {
  if (!link_->topology().known()) return;
  const std::size_t known = link_->topology().shards().size();
  if (call.request.target == Target::one) call.shards = {call.request.shard};
  if (call.request.target == Target::every) {
    for (std::size_t i = 0; i < known; ++i) call.shards.push_back(i);
  }
  if (call.request.target == Target::owner) {
    const auto* owners = link_->topology().topic(call.request.topic);
    if (owners == nullptr) return link_->ask_topology({call.request.topic});
    // A partition that nobody has: any shard says so.
    call.shards = {call.request.partition < owners->size() ? (*owners)[call.request.partition] : 0};
  }
  call.left = call.shards.size();
  call.bodies.assign(call.left, {});
  call.sent.assign(call.left, false);
  call.have.assign(call.left, false);
}

void ClientCalls::send(Call& call, std::size_t part) {
  if (!link_->ready(call.shards[part])) return;
  const auto now = Clock::now();
  if (!call.any_sent) call.sent_at = now;
  const bool forgotten = now - call.sent_at > std::chrono::milliseconds(wire::resend_ms_max);
  if (call.request.effect == Effect::changes && forgotten) return end(call, unknown());
  const auto correlation =
      link_->send(*this, call.shards[part], call.request.verb, call.request.body);
  sent_[correlation] = {&call, part};
  call.sent[part] = call.any_sent = true;
}

void ClientCalls::on_turn(Clock::time_point /*now*/) {
  const std::lock_guard lock(mutex_);
  if (shards_known_ == 0 && link_->topology().known()) {
    shards_known_ = link_->topology().shards().size();
    ended_.notify_all();
  }
  for (Call* call : calls_) {
    if (call->done) continue;
    if (call->shards.empty()) start(*call);
    for (std::size_t part = 0; part < call->shards.size(); ++part) {
      if (!call->sent[part] && !call->have[part]) send(*call, part);
    }
  }
}

bool ClientCalls::idle() {
  const std::lock_guard lock(mutex_);
  return calls_.empty();
}

void ClientCalls::on_ready(std::size_t shard, const std::vector<std::uint64_t>& /*lost*/) {
  const std::lock_guard lock(mutex_);
  for (Call* call : calls_) {
    for (std::size_t part = 0; part < call->shards.size(); ++part) {
      if (call->shards[part] == shard) call->sent[part] = false;
    }
  }
}

void ClientCalls::end(Call& call, Error error) {
  call.error = std::move(error);
  call.done = true;
  ended_.notify_all();
}

void ClientCalls::answered(Call& call, std::size_t part, std::string_view body) {
  if (call.done || call.have[part]) return;
  call.have[part] = true;
  call.bodies[part] = body;
  if (--call.left > 0) return;
  std::erase(call.bodies, std::string());
  if (call.bodies.empty()) call.error = call.unknown_topic;
  call.done = true;
  ended_.notify_all();
}

void ClientCalls::on_message(std::size_t /*shard*/, const wire::Header& header,
                             std::string_view body) {
  const std::lock_guard lock(mutex_);
  const auto found = sent_.find(header.correlation);
  if (found == sent_.end()) return;
  const auto [call, part] = found->second;
  sent_.erase(found);
  if (static_cast<wire::Verb>(header.verb) == wire::Verb::ok) return answered(*call, part, body);
  const auto error = wire::decode<wire::ErrorBody>(body);
  const ErrorCode code =
      error ? wire::parse_code(error->code).value_or(ErrorCode::invalid) : ErrorCode::invalid;
  if (code == ErrorCode::unknown_topic && call->request.target == Target::every) {
    call->unknown_topic = Error{code, std::string(error->message), {}};
    return answered(*call, part, {});
  }
  end(*call, {code, error ? std::string(error->message) : "the answer of the broker is malformed",
              span_of(error ? error->retry_after_ms : 0)});
  // The topic was made since, with other partitions: the next call asks again.
  if (code == ErrorCode::not_owner) link_->topology().forget(call->request.topic);
}

}  // namespace millrace
