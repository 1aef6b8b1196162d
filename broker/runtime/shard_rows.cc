// Questions about rows, and waiting for a job to end. A waiter is noted before its row is looked
// up, so that an end between the two is not missed.
#include "net/replies.h"
#include "runtime/shard.h"
#include "runtime/views.h"
#include "wire/codec.h"

namespace millrace::runtime {
namespace {

constexpr std::size_t waiters_max = 4'096;

std::optional<core::State> state_of(std::string_view text) {
  for (int s = 0; s <= static_cast<int>(core::State::dead); ++s) {
    const auto state = static_cast<core::State>(s);
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

}  // namespace

void Shard::refuse(const net::Asked& asked, std::string_view code, std::string_view message) {
  const auto refused = net::refusal(code, message);
  send(asked.peer, refused.verb, asked.correlation, refused.body);
}

std::optional<RowQuestion> Shard::question_of(const net::Asked& asked, const net::Lookup& lookup,
                                              std::string* wrong) const {
  RowQuestion question{asked, asked.verb, {}, {}, {}, false};
  if (const auto* jobs = std::get_if<wire::Jobs>(&lookup)) {
    question.filter.rows_max = static_cast<std::size_t>(jobs->limit);
    question.filter.now_wall_ms = now_.wall_ms;
    question.filter.state = state_of(jobs->state);
    if (!jobs->state.empty() && !question.filter.state) {
      *wrong = "unknown state " + std::string(jobs->state);
      return std::nullopt;
    }
    const core::Topic* topic = engine_->topic(jobs->topic);
    if (topic != nullptr) question.filter.topic = topic->id;
    if (!jobs->topic.empty() && topic == nullptr) return std::nullopt;
    if (jobs->after) {
      const core::Topic* after = engine_->topic(jobs->after->topic);
      if (after == nullptr) return std::nullopt;
      question.filter.after = core::JobRef{after->id, jobs->after->partition, jobs->after->seq};
    }
    return question;
  }
  const auto* named = std::get_if<wire::JobName>(&lookup);
  const wire::JobRef& job = named != nullptr ? named->job : std::get<wire::Wait>(lookup).job;
  const core::Topic* topic = engine_->topic(job.topic);
  if (topic == nullptr) return std::nullopt;
  question.ref = {topic->id, job.partition, job.seq};
  question.job = wire::job_text(job.topic, job.partition, job.seq);
  return question;
}

void Shard::look_up(const net::Asked& asked, const net::Lookup& lookup) {
  std::string wrong;
  auto question = question_of(asked, lookup, &wrong);
  if (!question && !wrong.empty()) return refuse(asked, "invalid", wrong);
  if (!question) {
    const bool list = asked.verb == wire::Verb::jobs;
    return refuse(asked, list ? "unknown_topic" : "not_found",
                  list ? "unknown topic" : "job not found");
  }
  if (const auto* wait = std::get_if<wire::Wait>(&lookup)) {
    if (waiters_.size() >= waiters_max) {
      return refuse(asked, "overloaded", "too many requests wait already: try again later");
    }
    const auto until = now_.mono_ms + static_cast<std::int64_t>(wait->timeout_ms);
    waiters_.emplace(question->ref, Waiter{*question, until});
    question->final_only = true;
  }
  ask_rows(std::move(*question));
}

void Shard::ask_rows(RowQuestion question) {
  const net::Asked asked = question.asked;
  if (rows_->ask(std::move(question))) return;
  refuse(asked, "overloaded", "too many requests wait already: try again later");
}

void Shard::answer_rows(core::Now now) {
  now_ = now;
  for (const RowAnswer& answer : rows_->take_answers()) answer_row(answer);
}

void Shard::answer_row(const RowAnswer& answer) {
  const RowQuestion& question = answer.question;
  const net::Asked& asked = question.asked;
  const bool list = question.verb == wire::Verb::jobs;
  if (list ? !answer.rows : !answer.row) {
    return refuse(asked, "overloaded",
                  list ? answer.rows.error().message : answer.row.error().message);
  }
  if (list) {
    const bool more = answer.rows->size() >= question.filter.rows_max;
    send(asked.peer, wire::Verb::ok, asked.correlation,
         jobs_body(*answer.rows, more, *engine_, now_));
    return;
  }
  const auto& row = *answer.row;
  if (question.final_only && row && row->state < core::State::completed) return;
  bool waits = false;
  const auto [first, last] = waiters_.equal_range(question.ref);
  for (auto at = first; at != last; ++at) {
    if (at->second.question.asked.peer != asked.peer ||
        at->second.question.asked.correlation != asked.correlation) {
      continue;
    }
    waiters_.erase(at);
    waits = true;
    break;
  }
  if (question.final_only && !waits) return;  // answered already
  if (!row) {
    return refuse(
        asked, "not_found",
        question.job + " was not found: a completed job is kept only if its topic has history");
  }
  const std::string body = question.verb == wire::Verb::explain ? explain_body(*row, *engine_, now_)
                                                                : job_body(*row, *engine_, now_);
  send(asked.peer, wire::Verb::ok, asked.correlation, body);
}

void Shard::wake_waiters(const core::Event& event) {
  const bool ended = event.kind == core::EventKind::completed ||
                     event.kind == core::EventKind::cancelled ||
                     event.kind == core::EventKind::died;
  if (!ended || waiters_.empty()) return;
  const auto [first, last] = waiters_.equal_range(event.ref);
  for (auto at = first; at != last; ++at) {
    RowQuestion question = at->second.question;
    question.final_only = true;
    ask_rows(std::move(question));
  }
}

void Shard::expire_waiters() {
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    if (at->second.until_mono_ms > now_.mono_ms) {
      ++at;
      continue;
    }
    ask_rows(std::move(at->second.question));
    at = waiters_.erase(at);
  }
}

}  // namespace millrace::runtime
