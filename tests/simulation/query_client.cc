#include "query_client.h"

#include "wire/codec.h"
#include "wire/limits.h"

#include <algorithm>
#include <map>
#include <utility>

namespace millrace::testing {
namespace {

constexpr std::uint64_t newest_max = 8;
constexpr std::int64_t wait_ms_max = 300;

}  // namespace

QueryClient::QueryClient(Surroundings& around, std::size_t index)
    : Bystander(around, index, "a" + std::to_string(index)) {}

void QueryClient::act() {
  const auto& jobs = around_.recorder.acknowledged;
  if (asked_ != 0 || jobs.empty() || !percent(around_.plan.ask_percent)) return;
  timeout_ms_ = 0;
  asked_ms_ = now_ms();
  percent(20) ? ask_for_all() : ask_for_one();
}

void QueryClient::ask_for_one() {
  const auto& jobs = around_.recorder.acknowledged;
  jobs_ = {jobs[jobs.size() - 1 - draw(0, std::min<std::uint64_t>(newest_max, jobs.size()) - 1)]};
  record(EventKind::asked, jobs_.front());
  const wire::JobRef ref = *wire::parse_job(jobs_.front());
  constexpr wire::Verb verbs[] = {wire::Verb::job, wire::Verb::explain, wire::Verb::wait};
  verb_ = verbs[draw(0, std::size(verbs) - 1)];
  if (verb_ != wire::Verb::wait) {
    asked_ = ask(verb_, wire::encode(wire::JobName{ref}));
    return;
  }
  timeout_ms_ = draw_ms(0, wait_ms_max);
  asked_ = ask(verb_, wire::encode(wire::Wait{ref, static_cast<std::uint64_t>(timeout_ms_)}));
}

// One answer has room for all jobs of a world.
void QueryClient::ask_for_all() {
  jobs_ = around_.recorder.acknowledged;
  for (const auto& job : jobs_) record(EventKind::asked, job);
  verb_ = wire::Verb::jobs;
  asked_ = ask(verb_, wire::encode(wire::Jobs{.topic = "t", .limit = wire::listed_max}));
}

void QueryClient::answered(std::uint64_t correlation, std::string_view body) {
  if (correlation != std::exchange(asked_, 0)) return;
  if (verb_ == wire::Verb::jobs) return take_list(body);
  const std::string& job = jobs_.front();
  std::string_view state;
  if (verb_ == wire::Verb::explain) {
    if (const auto told = wire::decode<wire::ExplainOk>(body)) state = told->state;
  } else if (const auto told = wire::decode<wire::JobView>(body)) {
    state = told->state;
  }
  if (state.empty()) {
    around_.recorder.violation = "an answer about " + job + " cannot be read";
    return;
  }
  if (!is_final(state) && now_ms() - asked_ms_ < timeout_ms_) {
    around_.recorder.violation = "a WAIT for " + job + " ended early, with " + std::string(state);
    return;
  }
  record(EventKind::told, job, state);
}

void QueryClient::take_list(std::string_view body) {
  const auto list = wire::decode<wire::JobsOk>(body);
  if (!list || list->next) {
    around_.recorder.violation = "a list of jobs cannot be read, or has no end";
    return;
  }
  std::map<std::string, std::string_view> states;
  for (const auto& view : list->jobs) {
    const std::string job = wire::job_text(view.job.topic, view.job.partition, view.job.seq);
    if (!states.emplace(job, view.state).second) {
      around_.recorder.violation = "a list of jobs has " + job + " twice";
    }
  }
  for (const auto& job : jobs_) {
    const auto found = states.find(job);
    record(EventKind::told, job, found == states.end() ? not_found : found->second);
  }
}

void QueryClient::refused(std::uint64_t correlation, std::string_view code) {
  if (correlation != std::exchange(asked_, 0)) return;
  if (code == not_found) record(EventKind::told, jobs_.front(), code);
}

void QueryClient::record(EventKind kind, const std::string& job, std::string_view state) {
  HistoryEvent event;
  event.kind = kind;
  event.job = job;
  event.word = state;
  event.by = process();
  around_.recorder.add(std::move(event));
}

}  // namespace millrace::testing
