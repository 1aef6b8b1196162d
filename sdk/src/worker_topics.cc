// A worker's session subscribes to its topics at each shard: the request, its answer, and the
// handling of a refusal.
#include "wire/codec.h"
#include "wire/error_codes.h"
#include "worker_session.h"

#include <algorithm>

namespace millrace {
namespace {

using namespace std::chrono_literals;

// How soon refused topics are asked for again.
constexpr auto resubscribe_min = 50ms, resubscribe_max = 5'000ms;

bool waiting_helps(const Error& error) {
  return error.code == ErrorCode::overloaded || error.code == ErrorCode::shutting_down ||
         error.code == ErrorCode::disk_full || error.retry_after.count() > 0;
}

}  // namespace

void WorkerSession::on_topology() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < link_.topology().shards().size(); ++i) {
    if (link_.ready(i) && !shards_[i].subscribed) subscribe(i);
  }
}

void WorkerSession::subscribe(std::size_t index) {
  if (draining_) return;
  ShardLink& shard = shards_[index];
  const auto lost_running = static_cast<std::uint64_t>(
      std::count_if(running_.begin(), running_.end(),
                    [index](const Ref& d) { return d->gone && d->shard == index; }));
  const std::uint64_t out = shard.held.size() + lost_running;
  wire::Subscribe body;
  for (const auto& topic : topics_) body.topics.push_back(topic);
  body.credit = quota() - std::min(out, quota());
  shard.subscribe = link_.send(*this, index, wire::Verb::subscribe, wire::encode(body));
  shard.subscribed = true;
  shard.subscribe_after = {};
}

void WorkerSession::take_subscribed(ShardLink& shard, const wire::Header& header,
                                    std::string_view body) {
  shard.subscribe = 0;
  shard.accepted = static_cast<wire::Verb>(header.verb) == wire::Verb::ok;
  shard.refused.reset();
  if (shard.accepted) return;
  const auto told = wire::decode<wire::ErrorBody>(body);
  const Error error = {
      told ? wire::parse_code(told->code).value_or(ErrorCode::invalid) : ErrorCode::invalid,
      told ? std::string(told->message) : "the answer of the broker is malformed",
      span_of(told ? told->retry_after_ms : 0)};
  if (waiting_helps(error)) {
    shard.subscribe_after = Clock::now() + std::clamp<std::chrono::milliseconds>(
                                               error.retry_after, resubscribe_min, resubscribe_max);
    return;
  }
  shard.refused = error;
  // It may be made there yet, while another shard has it: a topic that came by its first job.
  if (error.code == ErrorCode::unknown_topic) {
    shard.subscribe_after = Clock::now() + resubscribe_max;
  }
  judge_refusals();
}

// No topic anywhere is for good; so is what no other shard would answer otherwise.
void WorkerSession::judge_refusals() {
  if (refused_ || draining_) return;
  const std::size_t known = link_.topology().shards().size();
  std::size_t unknown = 0;
  for (const auto& [index, shard] : shards_) {
    if (!shard.refused) continue;
    const bool other = shard.refused->code != ErrorCode::unknown_topic;
    if (!other && ++unknown < known) continue;
    refused_ = shard.refused;
    to_report_ = "the broker refuses the topics of this worker: " + refused_->message;
    return ended_.notify_all();
  }
}

}  // namespace millrace
