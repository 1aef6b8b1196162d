#include "net/replies.h"

#include "net/job_messages.h"
#include "wire/codec.h"

namespace millrace::net {
namespace {

ErrorCode code_of(core::Refusal why) {
  switch (why) {
    case core::Refusal::invalid: return ErrorCode::invalid;
    case core::Refusal::no_session: return ErrorCode::no_session;
    case core::Refusal::unknown_topic: return ErrorCode::unknown_topic;
    case core::Refusal::not_found: return ErrorCode::not_found;
    case core::Refusal::conflict: return ErrorCode::conflict;
    case core::Refusal::not_owner: return ErrorCode::not_owner;
    case core::Refusal::overloaded: return ErrorCode::overloaded;
    case core::Refusal::stale: return ErrorCode::stale;
    case core::Refusal::duplicate: return ErrorCode::duplicate;
  }
  return ErrorCode::invalid;
}

struct ToBody {
  wire::Verb asked;
  const HelloFacts& facts;

  Answer operator()(const core::Refused& r) const {
    return refusal(to_string(code_of(r.why)), r.message,
                   static_cast<std::uint64_t>(r.retry_after_ms));
  }
  Answer operator()(const core::Accepted&) const {
    return {wire::Verb::ok, wire::encode(wire::Empty{})};
  }
  Answer operator()(const core::Stored& s) const {
    return {wire::Verb::ok, wire::encode(wire::EnqueueOk{s.first_seq, s.count, s.duplicate})};
  }
  Answer operator()(const core::Opened& o) const {
    return {wire::Verb::ok, hello_ok(facts, o.lost)};
  }
  Answer operator()(const core::Settled& s) const {
    return {wire::Verb::ok, wire::encode(wire::SettleOk{s.stale})};
  }
  Answer operator()(const core::Changed& c) const {
    const bool created = asked == wire::Verb::topic_create;
    return {wire::Verb::ok, wire::encode_flag(created ? "created" : "changed", c.value)};
  }
  Answer operator()(const core::Cancelled&) const {
    return {wire::Verb::ok, wire::encode(wire::CancelOk{"cancelled"})};
  }
  Answer operator()(const core::Counted& d) const {
    return {wire::Verb::ok, wire::encode(wire::CountOk{d.count, d.more})};
  }
};

}  // namespace

Answer answer(const core::ReplyBody& body, wire::Verb asked, const HelloFacts& facts) {
  return std::visit(ToBody{asked, facts}, body);
}

Answer refusal(std::string_view code, std::string_view message, std::uint64_t retry_after_ms) {
  return {wire::Verb::error, wire::encode(wire::ErrorBody{code, message, retry_after_ms})};
}

std::string hello_ok(const HelloFacts& facts, const std::vector<core::Token>& lost) {
  wire::HelloOk ok;
  ok.broker = facts.version;
  ok.shard = facts.shard;
  ok.lease_ms = static_cast<std::uint64_t>(facts.lease_ms);
  ok.heartbeat_ms = static_cast<std::uint64_t>(facts.heartbeat_ms);
  ok.payload_bytes_max = wire::payload_bytes_max;
  ok.lost = lost;
  return wire::encode(ok);
}

std::string deliver(const core::Delivery& delivery, std::string_view topic) {
  wire::Deliver body;
  body.topic = topic;
  body.partition = delivery.where.partition;
  body.jobs.reserve(delivery.jobs.size());
  for (const core::Delivered& job : delivery.jobs) {
    body.jobs.push_back(delivered_job(job, delivery.run_ms_max));
  }
  return wire::encode(body);
}

std::string revoke(const core::Revoke& revoked) {
  const bool cancelled = revoked.reason == core::RevokeReason::cancelled;
  return wire::encode(wire::Revoke{revoked.tokens, cancelled ? "cancelled" : "lease_lost"});
}

}  // namespace millrace::net
