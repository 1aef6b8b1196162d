// A worker's session with its shards.
#include "worker_session.h"

#include "wire/codec.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace millrace {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t settling_max = 4;  // SETTLE messages unanswered at a shard
constexpr std::size_t spare_deliveries_max = 1'024, kept_payload_bytes_max = 4'096;
constexpr auto progress_interval = 100ms;
constexpr auto answer_patience = 5s;  // for an outcome's answer, then a new connection
constexpr auto finish_patience = 10s;
wire::JobOutcome wire_outcome(std::uint64_t token, const HandlerResult& result) {
  using Kind = HandlerResult::Kind;
  wire::JobOutcome outcome;
  outcome.token = token;
  outcome.outcome = static_cast<wire::OutcomeKind>(result.kind);
  static_assert(static_cast<int>(Kind::crashed) == static_cast<int>(wire::OutcomeKind::crashed));
  static_assert(static_cast<int>(Kind::release) == static_cast<int>(wire::OutcomeKind::release));
  if (result.kind == Kind::done) {
    outcome.result = result.text;
  } else {
    outcome.error = result.text;
  }
  if (result.retry_after) {
    outcome.retry_after_ms =
        static_cast<std::uint64_t>(std::max<std::int64_t>(result.retry_after->count(), 0));
  }
  return outcome;
}

// Applies the protocol's bounds: a result that is too large cannot be stored, and a retry cannot
// succeed.
HandlerResult bounded(HandlerResult result) {
  if (result.kind == HandlerResult::Kind::done && result.text.size() > wire::result_bytes_max) {
    return discard(
        "the result has " + std::to_string(result.text.size()) +
        " bytes, but at most 65536 are allowed: store the data elsewhere and return a reference");
  }
  const bool error = result.kind != HandlerResult::Kind::done;
  if (error && result.text.size() > wire::error_bytes_max) {
    result.text.erase(0, result.text.size() - wire::error_bytes_max);
  }
  return result;
}

}  // namespace

WorkerSession::WorkerSession(ConnectionRef connection, int concurrency, int prefetch)
    : quota_all_(static_cast<std::uint64_t>(concurrency) + static_cast<std::uint64_t>(prefetch)),
      connection_(std::move(connection)),
      link_(connection_->loop(), connection_->options(), connection_->key(), wire::Role::worker) {}

WorkerSession::~WorkerSession() { link_.close(); }

std::optional<Error> WorkerSession::start(std::vector<std::string> topics) {
  topics_ = std::move(topics);
  auto wrong = connection_->loop().start();
  if (!wrong) link_.add(*this);
  return wrong;
}

WorkerSession::Ref WorkerSession::next() {
  std::unique_lock lock(mutex_);
  return take_ready(lock);
}

WorkerSession::Ref WorkerSession::next(Ref ended, HandlerResult result) {
  result = bounded(std::move(result));
  std::unique_lock lock(mutex_);
  running_[ended->slot] = running_.back();
  running_[ended->slot]->slot = ended->slot;
  running_.pop_back();
  ended->running = false;
  counts_.running = running_.size();
  if (running_.empty()) idle_.notify_all();
  const bool tell = end(shards_[ended->shard], std::move(ended), std::move(result));
  if (tell && ready_.empty()) {
    lock.unlock();
    connection_->loop().wake();
    lock.lock();
    return take_ready(lock);
  }
  Ref delivery = take_ready(lock);
  lock.unlock();
  if (tell) connection_->loop().wake();
  return delivery;
}

WorkerSession::Ref WorkerSession::take_ready(std::unique_lock<std::mutex>& lock) {
  if (ready_.empty() && !closed_) {
    ++waiting_;
    ready_changed_.wait(lock, [this] { return closed_ || !ready_.empty(); });
    --waiting_;
  }
  if (ready_.empty()) return nullptr;
  Ref delivery = std::move(ready_.front());
  ready_.pop_front();
  delivery->running = true;
  delivery->slot = running_.size();
  if (delivery->job.run_time_limit.count() > 0)
    delivery->run_until = after(delivery->job.run_time_limit);
  running_.push_back(delivery);
  counts_.running = running_.size();
  return delivery;
}

bool WorkerSession::end(ShardLink& shard, Ref&& delivery, HandlerResult result) {
  if (delivery->gone) {
    ++shard.credit_back;
    return true;
  }
  shard.finished.push_back({std::move(delivery), std::move(result)});
  // Earlier finished deliveries have woken the loop, or wait for an answer that ends in a turn.
  return shard.finished.size() == 1;
}

void WorkerSession::drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
  ended_.notify_all();
  for (Ref& delivery : ready_) end(shards_[delivery->shard], std::move(delivery), release());
  ready_.clear();
  connection_->loop().wake();
}

bool WorkerSession::wait_idle(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, after(patience), [this] { return running_.empty(); });
}

void WorkerSession::wait_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return running_.empty(); });
}

void WorkerSession::stop_running(StopReason reason) {
  std::vector<Ref> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_;
  }
  for (const Ref& delivery : running) delivery->request_stop(reason);
}

void WorkerSession::wait_end(std::stop_token until) {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, std::move(until), [this] { return draining_ || refused_.has_value(); });
}

std::optional<Error> WorkerSession::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

// A shard that has none of the topics delivers nothing, and is not waited for.
bool WorkerSession::connected() const {
  const std::lock_guard lock(mutex_);
  return link_.all_ready() && !refused_ && !shards_.empty() &&
         std::all_of(shards_.begin(), shards_.end(), [](const auto& entry) {
           return entry.second.accepted || entry.second.refused.has_value();
         });
}

void WorkerSession::close_queue() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  ready_changed_.notify_all();
}

bool WorkerSession::finish() {
  bool all = false;
  {
    std::unique_lock lock(mutex_);
    finishing_ = true;
    connection_->loop().wake();
    all = settled_.wait_for(lock, finish_patience, [this] {
      return std::all_of(shards_.begin(), shards_.end(),
                         [](const auto& entry) { return entry.second.held.empty(); });
    });
    // A goodbye unheard costs nothing but the broker's patience.
    settled_.wait_for(lock, 1s, [this] {
      return std::all_of(shards_.begin(), shards_.end(),
                         [](const auto& entry) { return !entry.second.subscribed; });
    });
  }
  link_.close();
  return all;
}

Worker::Counts WorkerSession::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::uint64_t WorkerSession::quota() const {
  const auto shards = std::max<std::uint64_t>(link_.topology().shards().size(), 1);
  return std::min((quota_all_ + shards - 1) / shards, wire::credit_max);
}

std::vector<Held> WorkerSession::held(std::size_t index) {
  const std::lock_guard lock(mutex_);
  std::vector<Held> all;
  for (const auto& [token, delivery] : shards_[index].held) {
    all.push_back({delivery->job.id.str(), token});
  }
  return all;
}

void WorkerSession::on_ready(std::size_t index, const std::vector<std::uint64_t>& lost) {
  std::unique_lock lock(mutex_);
  ShardLink& shard = shards_[index];
  shard.subscribed = shard.drained = shard.accepted = false;
  shard.subscribe = 0;
  shard.refused.reset();
  // What was not answered is said again; what was recorded then comes back as stale.
  for (auto& [correlation, settling] : shard.settling) say_again(shard, settling);
  shard.settling.clear();
  std::erase_if(shard.finished, [](const Ended& o) { return o.delivery->gone; });
  for (const auto token : lost) give_up(shard, token, StopReason::lease_lost);
  shard.credit_back = 0;  // the grant below counts all that is not held
  if (link_.topology().known()) subscribe(index);
  lock.unlock();
  speak();
}

void WorkerSession::say_again(ShardLink& shard, Settling& settling) {
  for (Ended& outcome : settling.outcomes) {
    outcome.delivery->settling = false;
    shard.finished.push_back(std::move(outcome));
  }
}

void WorkerSession::speak() {
  for (auto& [delivery, reason] : std::exchange(stops_, {})) {
    report(
        settings(), LogLevel::info,
        "job " + delivery->job.id.str() + " is asked to stop: " + std::string(to_string(reason)));
    delivery->request_stop(reason);
  }
  if (!to_report_.empty()) report(settings(), LogLevel::error, std::exchange(to_report_, {}));
  if (inherited()) end_child("callback");
}

void WorkerSession::give_up(ShardLink& shard, std::uint64_t token, StopReason reason) {
  const auto found = shard.held.find(token);
  if (found == shard.held.end()) return;
  const Ref delivery = found->second;
  shard.held.erase(found);
  delivery->gone = true;
  stops_.emplace_back(delivery, reason);
  ++counts_.lost;
  // Its end, or the message with its outcome, gives the credit back.
  if (delivery->running || delivery->settling) return;
  std::erase(ready_, delivery);
  std::erase_if(shard.finished, [&](const Ended& o) { return o.delivery == delivery; });
  ++shard.credit_back;
}

void WorkerSession::on_message(std::size_t index, const wire::Header& header,
                               std::string_view body) {
  const auto verb = static_cast<wire::Verb>(header.verb);
  if (verb == wire::Verb::deliver) return take(index, body);
  if (verb == wire::Verb::revoke) return revoke(index, body);
  std::unique_lock lock(mutex_);
  ShardLink& shard = shards_[index];
  if (shard.subscribe != 0 && header.correlation == shard.subscribe) {
    take_subscribed(shard, header, body);
    lock.unlock();
    return speak();
  }
  if (shard.goodbye != 0 && header.correlation == shard.goodbye) {
    shard.subscribed = false;
    settled_.notify_all();
    return;
  }
  const auto found = shard.settling.find(header.correlation);
  if (found == shard.settling.end()) return;
  Settling settling = std::move(found->second);
  shard.settling.erase(found);
  settled(shard, settling, header, body);
  settled_.notify_all();
}

WorkerSession::Ref WorkerSession::fresh() {
  if (spare_.empty()) return std::make_shared<Delivery>();
  Ref delivery = std::move(spare_.back());
  spare_.pop_back();
  return delivery;
}

void WorkerSession::recycle(Ref&& settled) {
  if (spare_.size() >= spare_deliveries_max || settled.use_count() != 1 ||
      settled->job.payload.capacity() > kept_payload_bytes_max) {
    return;
  }
  settled->reset();
  spare_.push_back(std::move(settled));
}

void WorkerSession::take(std::size_t index, std::string_view body) {
  const auto deliver = wire::decode<wire::Deliver>(body);
  if (!deliver) return;
  taken_.clear();
  for (const wire::DeliveredJob& job : deliver->jobs) {
    Ref& delivery = taken_.emplace_back(fresh());
    read_delivered(*deliver, job, &delivery->job);
    delivery->token = job.token;
    delivery->shard = index;
  }
  std::unique_lock lock(mutex_);
  ShardLink& shard = shards_[index];
  counts_.delivered += taken_.size();
  const std::size_t wanted = draining_ ? 0 : std::min(waiting_, taken_.size());
  for (Ref& delivery : taken_) {
    shard.held[delivery->token] = delivery;
    if (draining_) {
      end(shard, std::move(delivery), release());
    } else {
      ready_.push_back(std::move(delivery));
    }
  }
  lock.unlock();
  taken_.clear();
  for (std::size_t i = 0; i < wanted; ++i) ready_changed_.notify_one();
}

void WorkerSession::revoke(std::size_t index, std::string_view body) {
  const auto revoked = wire::decode<wire::Revoke>(body);
  if (!revoked) return;
  const StopReason reason =
      revoked->reason == "cancelled" ? StopReason::cancelled : StopReason::lease_lost;
  {
    const std::lock_guard lock(mutex_);
    for (const auto token : revoked->tokens) give_up(shards_[index], token, reason);
  }
  speak();
}

void WorkerSession::count(HandlerResult::Kind kind) {
  using Kind = HandlerResult::Kind;
  if (kind == Kind::done) ++counts_.completed;
  if (kind == Kind::retry || kind == Kind::crashed) ++counts_.retried;
  if (kind == Kind::discard) ++counts_.discarded;
  if (kind == Kind::release) ++counts_.released;
}

void WorkerSession::settled(ShardLink& shard, Settling& settling, const wire::Header& header,
                            std::string_view body) {
  const auto ok = wire::decode<wire::SettleOk>(body);
  if (static_cast<wire::Verb>(header.verb) != wire::Verb::ok || !ok) {
    // Refused as a whole: nothing was recorded, and its credit was not granted. Say it again.
    say_again(shard, settling);
    shard.credit_back += settling.credit_back;
    shard.settle_after = Clock::now() + progress_interval;
    return;
  }
  const std::set<std::uint64_t> stale(ok->stale.begin(), ok->stale.end());
  for (Ended& outcome : settling.outcomes) {
    const std::uint64_t token = outcome.delivery->token;
    shard.held.erase(token);
    if (stale.contains(token)) {
      if (!outcome.delivery->gone) ++counts_.lost;
    } else {
      count(outcome.result.kind);
    }
    recycle(std::move(outcome.delivery));
  }
}

bool WorkerSession::idle() {
  const std::lock_guard lock(mutex_);
  return !draining_ && std::all_of(shards_.begin(), shards_.end(), [](const auto& entry) {
    const ShardLink& shard = entry.second;
    return shard.held.empty() && shard.finished.empty() &&
           shard.subscribe_after == Clock::time_point{};
  });
}

void WorkerSession::on_turn(Clock::time_point now) {
  std::unique_lock lock(mutex_);
  watch_run_times(now);
  const bool progress_due = now - progress_at_ >= progress_interval;
  if (progress_due) progress_at_ = now;
  for (auto& [index, shard] : shards_) {
    if (!link_.ready(index)) continue;
    if (draining_ && !shard.drained) {
      shard.drained = true;
      link_.send(*this, index, wire::Verb::drain, wire::encode(wire::Empty{}));
    }
    if (shard.subscribe_after != Clock::time_point{} && shard.subscribe_after <= now) {
      subscribe(index);
    }
    if (progress_due) send_progress(index, shard);
    send_outcomes(index, shard, now);
    if (finishing_) say_goodbye(index, shard);
  }
  lock.unlock();
  speak();
}

// The first of them that fit in a message; with large results they are few.
std::vector<WorkerSession::Ended> WorkerSession::take_some(std::vector<Ended>& finished) {
  std::size_t bytes = 0;
  const auto end = std::find_if(finished.begin(), finished.end(), [&](const Ended& outcome) {
    bytes += outcome.result.text.size();
    return bytes > wire::frame_bytes_max / 2 && &outcome != &finished.front();
  });
  const auto count = std::min<std::size_t>(wire::batch_max, std::size_t(end - finished.begin()));
  if (count == finished.size()) return std::exchange(finished, {});
  const auto last = finished.begin() + std::ptrdiff_t(count);
  std::vector<Ended> some(std::move_iterator(finished.begin()), std::move_iterator(last));
  finished.erase(finished.begin(), last);
  return some;
}

void WorkerSession::send_outcomes(std::size_t index, ShardLink& shard, Clock::time_point now) {
  for (const auto& [correlation, settling] : shard.settling) {
    if (now - settling.sent > answer_patience) return link_.reconnect(index);
  }
  while (!shard.finished.empty() && shard.settling.size() < settling_max &&
         now >= shard.settle_after) {
    Settling settling{take_some(shard.finished), now, 0};
    wire::Settle body;
    body.outcomes.reserve(settling.outcomes.size());
    for (const Ended& outcome : settling.outcomes) {
      outcome.delivery->settling = true;
      body.outcomes.push_back(wire_outcome(outcome.delivery->token, outcome.result));
    }
    if (!draining_) {
      settling.credit_back = std::exchange(shard.credit_back, 0);
      body.credit = settling.outcomes.size() + settling.credit_back;
    }
    const auto correlation = link_.send(*this, index, wire::Verb::settle, wire::encode(body));
    shard.settling.emplace(correlation, std::move(settling));
  }
  if (shard.credit_back > 0 && !draining_) {
    wire::Credit body;
    body.credit = std::exchange(shard.credit_back, 0);
    link_.send(*this, index, wire::Verb::credit, wire::encode(body));
  }
}

void WorkerSession::send_progress(std::size_t index, ShardLink& shard) {
  for (const auto& [token, delivery] : shard.held) {
    const auto progress = delivery->take_progress();
    if (!progress) continue;
    wire::Progress body;
    body.token = token;
    body.percent = static_cast<std::uint64_t>(progress->percent);
    body.note = progress->note;
    link_.send(*this, index, wire::Verb::progress, wire::encode(body));
  }
}

void WorkerSession::watch_run_times(Clock::time_point now) {
  for (const Ref& delivery : running_) {
    if (delivery->run_until <= now && delivery->stop_reason() == StopReason::none) {
      stops_.emplace_back(delivery, StopReason::run_time_limit);
    }
  }
}

void WorkerSession::say_goodbye(std::size_t index, ShardLink& shard) {
  if (!shard.held.empty() || shard.goodbye != 0) return;
  shard.goodbye = link_.send(*this, index, wire::Verb::goodbye, wire::encode(wire::Empty{}));
}

}  // namespace millrace
