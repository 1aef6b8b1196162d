#include "asker.h"

#include "wire/codec.h"

#include <algorithm>
#include <utility>

namespace millrace::testing {
namespace {

constexpr std::uint64_t newest_max = 8;
constexpr std::int64_t wait_ms_max = 300;

bool is_final(std::string_view state) {
  return state == "completed" || state == "cancelled" || state == "dead";
}

}  // namespace

Asker::Asker(Surroundings& around, std::size_t index)
    : Client(around, index, "a" + std::to_string(index)) {}

void Asker::say_hello() {
  wire::Hello message;
  message.role = wire::Role::client;
  message.session = session();
  message.name = name_;
  asked_ = 0;
  hello(message);
}

void Asker::act() {
  const auto& jobs = around_.recorder.acknowledged;
  if (asked_ != 0 || jobs.empty() || !percent(around_.plan.ask_percent)) return;
  job_ = jobs[jobs.size() - 1 - draw(0, std::min<std::uint64_t>(newest_max, jobs.size()) - 1)];
  HistoryEvent event;
  event.kind = EventKind::asked;
  event.job = job_;
  event.by = process();
  around_.recorder.add(std::move(event));
  constexpr wire::Verb verbs[] = {wire::Verb::job, wire::Verb::explain, wire::Verb::wait};
  verb_ = verbs[draw(0, std::size(verbs) - 1)];
  asked_ms_ = now_ms();
  timeout_ms_ = verb_ == wire::Verb::wait ? draw_ms(0, wait_ms_max) : 0;
  const wire::JobRef ref = *wire::parse_job(job_);
  asked_ = ask(verb_, verb_ == wire::Verb::wait
                          ? wire::encode(wire::Wait{ref, static_cast<std::uint64_t>(timeout_ms_)})
                          : wire::encode(wire::JobName{ref}));
}

void Asker::answered(std::uint64_t correlation, std::string_view body) {
  if (correlation != std::exchange(asked_, 0)) return;
  std::string_view state;
  if (verb_ == wire::Verb::explain) {
    if (const auto told = wire::decode<wire::ExplainOk>(body)) state = told->state;
  } else if (const auto told = wire::decode<wire::JobView>(body)) {
    state = told->state;
  }
  if (state.empty()) {
    around_.recorder.violation = "an answer about " + job_ + " cannot be read";
    return;
  }
  if (!is_final(state) && now_ms() - asked_ms_ < timeout_ms_) {
    around_.recorder.violation = "a WAIT for " + job_ + " ended early, with " + std::string(state);
    return;
  }
  record_told(state);
}

void Asker::refused(std::uint64_t correlation, std::string_view code) {
  if (correlation != std::exchange(asked_, 0)) return;
  if (code == "not_found") record_told(code);
}

void Asker::record_told(std::string_view state) {
  HistoryEvent event;
  event.kind = EventKind::told;
  event.job = job_;
  event.word = state;
  event.by = process();
  around_.recorder.add(std::move(event));
}

}  // namespace millrace::testing
