#include "worker.h"

#include "wire/codec.h"

#include <algorithm>

namespace millrace::testing {
namespace {

struct Named {
  const char* name;
  wire::OutcomeKind kind;
};
constexpr Named done{"done", wire::OutcomeKind::completed};
constexpr Named failures[] = {{"retry", wire::OutcomeKind::retry},
                              {"retry", wire::OutcomeKind::retry},
                              {"discard", wire::OutcomeKind::discard},
                              {"release", wire::OutcomeKind::release}};

}  // namespace

Worker::Worker(Surroundings& around, std::size_t index)
    : Client(around, index, "w" + std::to_string(index)) {}

void Worker::say_hello() {
  wire::Hello message;
  message.role = wire::Role::worker;
  message.session = session();
  message.name = name_;
  message.pid = index_ + 1;
  for (const auto& [token, held] : held_)
    message.held.emplace_back(*wire::parse_job(held.job), token);
  for (const auto& [token, settling] : unanswered_) {
    message.held.emplace_back(*wire::parse_job(settling.job), token);
  }
  asked_.clear();
  hello(message);
}

void Worker::welcomed(const wire::HelloOk& answer) {
  for (const Token token : answer.lost) held_.erase(token);
  const std::uint64_t credit = around_.plan.credit;
  wire::Subscribe message;
  message.topics = {"t"};
  message.credit = credit - std::min<std::uint64_t>(credit, held_.size());
  ask(wire::Verb::subscribe, wire::encode(message));
  std::vector<Token> tokens;
  for (const auto& [token, settling] : unanswered_) tokens.push_back(token);
  send_settle(tokens, 0);
}

void Worker::leave() {
  if (!welcome_) return;
  around_.recorder.note("leaves", name_);
  ask(wire::Verb::goodbye, wire::encode(wire::Empty{}));
  forget();
  new_session();
  start_over();
}

void Worker::forget() {
  held_.clear();
  unanswered_.clear();
  asked_.clear();
}

void Worker::told(wire::Verb verb, std::string_view body) {
  if (verb == wire::Verb::deliver) {
    const auto message = wire::decode<wire::Deliver>(body);
    if (message) return delivered(*message);
    around_.recorder.violation = "the broker sent a DELIVER that cannot be read";
  }
  if (verb != wire::Verb::revoke) return;
  const auto message = wire::decode<wire::Revoke>(body);
  if (!message) return;
  wire::Credit credit;
  for (const Token token : message->tokens) credit.credit += held_.erase(token);
  if (credit.credit > 0) tell(wire::Verb::credit, wire::encode(credit));
}

void Worker::delivered(const wire::Deliver& message) {
  for (const auto& job : message.jobs) {
    if (!known_.emplace(job.token, true).second) continue;  // the network repeats itself
    HistoryEvent event;
    event.kind = EventKind::deliver;
    event.job =
        wire::job_text(message.topic, static_cast<std::uint16_t>(message.partition), job.seq);
    event.tag = std::string(job.payload.substr(0, job.payload.find(' ')));
    event.token = job.token;
    event.attempt = static_cast<std::uint32_t>(job.attempt);
    event.by = process();
    const bool slow = now_ms() < slow_until_ms_;
    const std::int64_t work_ms = slow ? 2 * around_.plan.lease_ms : around_.plan.work_ms;
    held_[job.token] = {event.job, now_ms() + (around_.faults_over ? 0 : draw_ms(0, work_ms))};
    around_.recorder.add(std::move(event));
  }
}

void Worker::decide(Token token, const Held& held) {
  const Named outcome = around_.faults_over || !percent(around_.plan.retry_percent)
                            ? done
                            : failures[draw(0, std::size(failures) - 1)];
  HistoryEvent event;
  event.kind = EventKind::settle;
  event.job = held.job;
  event.token = token;
  event.word = outcome.name;
  event.by = process();
  around_.recorder.add(std::move(event));
  unanswered_[token] = {held.job, outcome.name, outcome.kind};
}

void Worker::act() {
  std::vector<Token> ready;
  for (const auto& [token, held] : held_) {
    if (held.ready_ms <= now_ms()) ready.push_back(token);
  }
  if (ready.empty()) return;
  // A job may take its worker down with it.
  if (!around_.faults_over && percent(around_.plan.crash_percent)) return kill();
  for (const Token token : ready) {
    decide(token, held_.at(token));
    held_.erase(token);
  }
  send_settle(ready, ready.size());
}

void Worker::send_settle(const std::vector<Token>& tokens, std::uint64_t credit) {
  if (tokens.empty()) return;
  wire::Settle message;
  message.credit = credit;
  for (const Token token : tokens) {
    wire::JobOutcome outcome;
    outcome.token = token;
    outcome.outcome = unanswered_.at(token).kind;
    if (outcome.outcome != wire::OutcomeKind::completed) outcome.error = "as it was told";
    message.outcomes.push_back(outcome);
  }
  asked_[ask(wire::Verb::settle, wire::encode(message))] = tokens;
}

void Worker::answered(std::uint64_t correlation, std::string_view body) {
  const auto asked = asked_.find(correlation);
  if (asked == asked_.end()) return;
  const auto answer = wire::decode<wire::SettleOk>(body);
  if (!answer) return;
  for (const Token token : asked->second) {
    const auto settling = unanswered_.find(token);
    if (settling == unanswered_.end()) continue;
    const bool stale =
        std::find(answer->stale.begin(), answer->stale.end(), token) != answer->stale.end();
    HistoryEvent event;
    event.kind = stale ? EventKind::stale : EventKind::settled;
    event.job = settling->second.job;
    event.token = token;
    event.word = settling->second.outcome;
    event.by = process();
    around_.recorder.add(std::move(event));
    unanswered_.erase(settling);
  }
  asked_.erase(asked);
}

}  // namespace millrace::testing
