#include "hostile_client.h"

#include "wire/codec.h"

#include <utility>

namespace millrace::testing {

Canceller::Canceller(Surroundings& around, std::size_t index)
    : Bystander(around, index, "c" + std::to_string(index)) {}

void Canceller::act() {
  const auto& jobs = around_.recorder.acknowledged;
  for (const std::size_t at : std::exchange(unanswered_, {})) cancel(at);
  if (around_.faults_over) return;
  for (; next_ < jobs.size(); ++next_) {
    if (!percent(around_.plan.cancel_percent)) continue;
    HistoryEvent event;
    event.kind = EventKind::cancel;
    event.job = jobs[next_];
    around_.recorder.add(std::move(event));
    cancel(next_);
  }
}

void Canceller::cancel(std::size_t at) {
  wire::JobName message;
  message.job = *wire::parse_job(around_.recorder.acknowledged[at]);
  message.request.emplace();
  for (std::size_t byte = 0; byte < sizeof at; ++byte) {
    (*message.request)[byte] = static_cast<std::uint8_t>((at + 1) >> (8 * byte));
  }
  asked_[ask(wire::Verb::cancel, wire::encode(message))] = at;
}

void Canceller::forget() {
  for (const auto& [correlation, at] : asked_) unanswered_.insert(at);
  asked_.clear();
}

// Nobody else cancels: whatever ended the job, it was not this.
void Canceller::refused(std::uint64_t correlation, std::string_view code) {
  const auto asked = asked_.find(correlation);
  if (asked == asked_.end()) return;
  if (code == "conflict" || code == not_found) {
    around_.recorder.not_cancelled.insert(around_.recorder.acknowledged[asked->second]);
  }
  asked_.erase(asked);
}

void Canceller::answered(std::uint64_t correlation, std::string_view /*body*/) {
  const auto asked = asked_.find(correlation);
  if (asked == asked_.end()) return;
  HistoryEvent event;
  event.kind = EventKind::cancelled;
  event.job = around_.recorder.acknowledged[asked->second];
  around_.recorder.add(std::move(event));
  asked_.erase(asked);
}

HostileClient::HostileClient(Surroundings& around, std::size_t index)
    : Bystander(around, index, "l" + std::to_string(index)) {}

void HostileClient::say_hello() {
  wire::Hello message;
  message.role = wire::Role::worker;
  message.session = session();
  message.name = name_;
  // What it never had, of a job that nobody has: the broker has to find that out.
  const wire::JobRef job{"t", 0, 1'000'000};
  if (percent(50)) message.held.emplace_back(job, token_of(draw(1, 3), draw(1, 9)));
  if (percent(20)) message.held.emplace_back(wire::JobRef{"nowhere", 7, 1}, 1);
  asked_.clear();
  hello(message);
}

void HostileClient::act() {
  if (now_ms() > lies_until_ms_ || around_.faults_over || !percent(10)) return;
  switch (draw(0, 3)) {
    case 0: return settle_of_others();
    case 1: return used_number();
    case 2: return nonsense();
    default: return tell(wire::Verb::credit, wire::encode(wire::Credit{draw(0, 9'000)}));
  }
}

void HostileClient::settle_of_others() {
  const auto& issued = around_.recorder.issued;
  if (issued.empty()) return;
  const Overheard& heard =
      issued[issued.size() - 1 - draw(0, std::min<std::size_t>(4, issued.size() - 1))];
  wire::Settle message;
  wire::JobOutcome outcome;
  outcome.token = heard.token;
  outcome.outcome = static_cast<wire::OutcomeKind>(draw(0, 4));
  message.outcomes.push_back(outcome);
  HistoryEvent event;
  event.kind = EventKind::settle;
  event.job = heard.job;
  event.token = heard.token;
  event.word = "lie";
  event.by = process();
  around_.recorder.add(std::move(event));
  asked_[ask(wire::Verb::settle, wire::encode(message))] = heard;
}

void HostileClient::answered(std::uint64_t correlation, std::string_view body) {
  const auto asked = asked_.find(correlation);
  if (asked == asked_.end()) return;
  const auto answer = wire::decode<wire::SettleOk>(body);
  if (answer && answer->stale.empty()) {
    HistoryEvent event;
    event.kind = EventKind::settled;
    event.job = asked->second.job;
    event.token = asked->second.token;
    event.word = "lie";
    event.by = process();
    around_.recorder.add(std::move(event));
  }
  asked_.erase(asked);
}

// Its jobs may be stored or not; no client gets their outcome.
void HostileClient::used_number() {
  HistoryEvent event;
  event.kind = EventKind::enqueue;
  event.tag = name_ + "-" + std::to_string(++made_);
  event.by = process();
  event.topic = "t";
  event.attempts_max = around_.plan.attempts_max;
  const std::string payload = event.tag + " ";
  around_.recorder.add(std::move(event));
  wire::Enqueue message;
  message.topic = "t";
  message.partition = draw(0, around_.plan.partitions - 1);
  message.producer = session();
  message.epoch = draw(0, 1);
  message.batch = draw(1, 3);
  message.answered = draw(0, 2);
  message.jobs.push_back({payload, {}, {}, {}, {}, {}, {}});
  tell(wire::Verb::enqueue, wire::encode(message));
}

void HostileClient::nonsense() {
  std::string body;
  for (std::uint64_t i = draw(0, 12); i > 0; --i) body += static_cast<char>(draw(0, 255));
  constexpr wire::Verb verbs[] = {wire::Verb::enqueue, wire::Verb::settle, wire::Verb::subscribe,
                                  wire::Verb::cancel,  wire::Verb::ok,     wire::Verb::progress};
  tell(verbs[draw(0, std::size(verbs) - 1)], std::move(body));
}

}  // namespace millrace::testing
