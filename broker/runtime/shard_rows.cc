// Queries for rows, and WAIT for the end of a job. A waiter is registered before its row is looked
// up, so that an end between the two is not missed.
#include "net/replies.h"
#include "runtime/shard.h"

#include <iterator>

namespace millrace::runtime {
namespace {

constexpr std::size_t waiters_max = 4'096;

}  // namespace

void Shard::refuse(const net::Asked& asked, const Error& error) {
  const auto refused = net::refusal(to_string(error.code), error.message);
  send(asked.peer, refused.verb, asked.correlation, refused.body);
}

void Shard::refuse_overload(const net::Asked& asked) {
  refuse(asked, {ErrorCode::overloaded, "too many requests wait already: try again later", {}});
}

void Shard::look_up(const net::Asked& asked, std::string_view body, const access::Key* key) {
  auto question = row_question(asked, body, *engine_, now_, key);
  if (!question) return refuse(asked, question.error());
  if (asked.verb == wire::Verb::wait) {
    if (waiters_.size() >= waiters_max) return refuse_overload(asked);
    waiters_.emplace(question->job, Waiter{*question, now_.mono_ms + question->wait_ms});
    question->final_only = true;
  }
  ask_rows(std::move(*question));
}

void Shard::ask_rows(RowQuestion question) {
  const net::Asked asked = question.asked;
  if (!rows_->ask(std::move(question))) refuse_overload(asked);
}

void Shard::answer_rows(core::Now now) {
  now_ = now;
  for (const RowAnswer& answer : rows_->take_answers()) answer_row(answer);
}

void Shard::answer_row(const RowAnswer& answer) {
  const RowQuestion& question = answer.question;
  const net::Asked& asked = question.asked;
  if (!answer.rows) {
    return refuse(asked, {ErrorCode::overloaded, answer.rows.error().message, {}});
  }
  if (question.final_only && (!answer.rows->ended || !end_waiter(question))) return;
  const auto body = answer.rows->body(*engine_, now_);
  if (!body) return refuse(asked, body.error());
  send(asked.peer, wire::Verb::ok, asked.correlation, *body);
}

// False: it was answered already.
bool Shard::end_waiter(const RowQuestion& question) {
  const auto [first, last] = waiters_.equal_range(question.job);
  for (auto at = first; at != last; ++at) {
    const net::Asked& asked = at->second.question.asked;
    if (asked.peer != question.asked.peer || asked.correlation != question.asked.correlation) {
      continue;
    }
    waiters_.erase(at);
    return true;
  }
  return false;
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

// What it waited for may be what it has no access to any more.
void Shard::end_waiters_of(const std::string& peer) {
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    const net::Asked asked = at->second.question.asked;
    const bool its = asked.peer == peer;
    at = its ? waiters_.erase(at) : std::next(at);
    if (its) refuse(asked, {ErrorCode::no_session, "the key has changed: send HELLO again", {}});
  }
}

}  // namespace millrace::runtime
