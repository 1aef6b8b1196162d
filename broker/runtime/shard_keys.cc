// What a shard asks of the keys of its clients: whether they count, what they were allowed when a
// connection began, their quotas; and the lines of the audit log.
#include "net/replies.h"
#include "runtime/shard.h"
#include "wire/codec.h"

#include <iterator>

namespace millrace::runtime {

// Null: unknown, revoked or expired.
access::KeyRef Shard::key_of(const net::Incoming& message) {
  auto key = keys_.by_public_key(message.public_key);
  if (key && !access::why_invalid(*key, now_.wall_ms).empty()) key = nullptr;
  return key;
}

// Of a connection, before its message is read. One whose key does not count is ended by the
// connection limiter.
std::optional<Error> Shard::wrong_with(const net::Incoming& message, const access::KeyRef& key) {
  if (options_.keys == nullptr) return std::nullopt;
  if (!net::assigned_by_broker(message.peer)) {
    return Error{ErrorCode::invalid,
                 "this broker uses keys, so a connection must not choose its routing id: another "
                 "client could choose the same one and receive its messages. Remove the call that "
                 "sets ZMQ_ROUTING_ID",
                 {}};
  }
  if (message.public_key.empty() || key) return std::nullopt;
  const auto known = keys_.by_public_key(message.public_key);
  return Error{
      ErrorCode::unauthorized,
      known ? access::why_invalid(*known, now_.wall_ms) : "this key was removed from the broker",
      {}};
}

void Shard::refuse_unread(const net::Incoming& message, const Error& error) {
  const auto header = wire::decode_header(message.header);
  refuse({message.peer, wire::Verb::hello, header ? header->correlation : 0}, error);
}

// Answers what is over the quota of a key. is_new: the connection has not said HELLO before.
bool Shard::over_quota(const net::Asked& asked, const net::Parsed& parsed, const access::Key& key,
                       bool is_new) {
  constexpr std::int64_t connection_wait_ms = 1'000;
  const auto refuse_for = [&](std::int64_t wait_ms, const std::string& what) {
    answer(asked, net::refusal("overloaded", what, static_cast<std::uint64_t>(wait_ms)));
    return true;
  };
  if (parsed.hello && is_new && key.quota.connections > 0 &&
      port_.connections_of(key.public_key) >= key.quota.connections) {
    return refuse_for(connection_wait_ms, "the key " + key.name + " has " +
                                              std::to_string(key.quota.connections) +
                                              " connections already, as many as its quota allows");
  }
  const auto* const enqueue =
      parsed.command ? std::get_if<core::Enqueue>(&*parsed.command) : nullptr;
  if (enqueue == nullptr) return false;
  const std::int64_t wait_ms = quotas_.take(key, enqueue->jobs.size(), now_.mono_ms);
  return wait_ms > 0 &&
         refuse_for(wait_ms, "the key " + key.name + " has enqueued more than its quota of " +
                                 std::to_string(key.quota.enqueues_per_second) +
                                 " jobs a second allows: nothing was stored, try again later");
}

bool Shard::keeps_rights(const Peer& peer) {
  if (peer.key == nullptr) return true;
  const auto key = keys_.by_public_key(peer.public_key);
  return key && access::same_rights(*key, *peer.key) &&
         access::why_invalid(*key, now_.wall_ms).empty();
}

// A worker whose key does not count any more, or has other rights than its subscriptions were
// allowed by: its jobs go to others, and no attempt is counted. With other rights it has to say
// HELLO and to subscribe again.
void Shard::end_sessions_of_changed_keys() {
  if (options_.keys == nullptr) return;
  for (auto at = peers_.begin(); at != peers_.end();) {
    if (keeps_rights(at->second)) {
      ++at;
      continue;
    }
    if (at->second.worker) {
      engine_->step(core::SessionClose{0, at->second.session}, now_, effects_);
    }
    end_waiters_of(at->first);
    at = peers_.erase(at);
  }
}

// Before the answers leave: an act that was answered has its line on disk.
void Shard::record_acts(const std::vector<core::Reply>& replies) {
  if (acts_.empty()) return;
  for (const core::Reply& reply : replies) {
    const auto act = acts_.find(reply.request);
    if (act == acts_.end()) continue;
    audit_.answered(std::move(act->second),
                    net::answer(reply.body, asked_.at(reply.request).verb, hello_facts()));
    acts_.erase(act);
  }
  audit_.sync();
}

}  // namespace millrace::runtime
