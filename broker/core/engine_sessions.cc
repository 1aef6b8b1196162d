// Worker sessions: opening, reconnecting, credit, draining, and the three ways to end.
#include "core/check.h"
#include "core/engine_impl.h"
#include "core/transitions.h"

#include <algorithm>

namespace millrace::core {
namespace {

Refused no_session() { return refuse(Refusal::no_session, "unknown session: send HELLO again"); }

}  // namespace

Session* Engine::Impl::find_session(const SessionId& id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

void Engine::Impl::unsubscribe(Session& session) {
  for (const TopicId id : session.topics) {
    TopicState& state = topic_at(id);
    std::erase(state.subscribers, &session);
    if (state.subscribers.empty()) activity_changed(state);
  }
  session.topics.clear();
  credit_free_ -= session.credit;
  session.credit = 0;
}

void Engine::Impl::on(SessionOpen&& c, Now now, Effects& out) {
  const auto known = sessions_.find(c.session);
  const bool known_before = known != sessions_.end();
  if (!known_before && sessions_.size() >= sessions_max) {
    return reply(
        out, c.request,
        refuse(Refusal::overloaded, "the shard has reached its maximum number of sessions", 1'000));
  }
  Session& session = known_before ? known->second : sessions_[c.session];
  if (known_before && !session.present) --absent_;
  session.id = c.session;
  session.present = true;
  // Ended and opened again within one turn: storage would drop it after putting it.
  std::erase(out.changes.sessions_dropped, session.id);
  session.heard_mono_ms = now.mono_ms;
  unsubscribe(session);
  // The session took part in the epoch before, and nothing has been delivered in this epoch.
  const bool believed = session.epoch_before + 1 == options_.epoch && deliveries_ == 0;
  // Until the session subscribes, the worker may not know which deliveries it has lost.
  if (!known_before || session.name != c.name || session.epoch != 0) {
    session.name = std::move(c.name);
    session.epoch = 0;
    out.changes.sessions_put.push_back({session.id, session.name, session.epoch});
  }
  Event event{.kind = EventKind::session_opened};
  event.session = session.id;
  out.events.push_back(event);

  std::set<Token> held_tokens;
  for (const HeldJob& held : c.held) {
    if (!held.topic.empty()) held_tokens.insert(held.token);
  }
  release_unheld(session, held_tokens, now, out);

  auto open = std::make_shared<PendingOpen>();
  open->request = c.request;
  open->session = session.id;
  session.open = open;
  // One claim stands for the opening itself, so that it cannot finish before all are made.
  open->claims = 1;
  ++claims_open_;
  for (const HeldJob& held : c.held) claim(open, held, session, believed, now, out);
  finish_open(*open, out);
}

void Engine::Impl::finish_open(PendingOpen& open, Effects& out) {
  --claims_open_;
  if (--open.claims > 0) return;
  std::sort(open.lost.begin(), open.lost.end());
  reply(out, open.request, Opened{std::move(open.lost)});
}

// Deliveries that the worker does not list were lost in flight: they are no attempt.
void Engine::Impl::release_unheld(Session& session, const std::set<Token>& held, Now now,
                                  Effects& out) {
  for (const Token token : leases_.tokens_of(session.leases)) {
    if (held.contains(token)) continue;
    Lease lease = end_run(*leases_.find(token), out);
    transit(State::running, Trigger::put_back);
    put_back(std::move(lease), now, out);
  }
}

void Engine::Impl::on(SessionBeat&& c, Now now, Effects& /*out*/) {
  Session* session = find_session(c.session);
  if (session != nullptr && session->present) session->heard_mono_ms = now.mono_ms;
}

void Engine::Impl::end_session(Session& session, bool died, const std::string& how, EventKind kind,
                               Now now, Effects& out) {
  unsubscribe(session);
  // From the newest to the oldest, so that those put back in front stand in their old order.
  for (const Token token : leases_.tokens_of(session.leases)) {
    Lease lease = end_run(*leases_.find(token), out);
    if (died && has_left(lease)) {
      crash(std::move(lease), "worker " + session.name + " " + how, now, out);
    } else {
      transit(State::running, Trigger::put_back);
      put_back(std::move(lease), now, out);
    }
  }
  Event event{.kind = kind};
  event.session = session.id;
  out.events.push_back(event);
  out.changes.sessions_dropped.push_back(session.id);
  if (!session.present) --absent_;
  const SessionId id = session.id;
  sessions_.erase(id);
}

void Engine::Impl::on(SessionClose&& c, Now now, Effects& out) {
  if (Session* session = find_session(c.session)) {
    end_session(*session, false, {}, EventKind::session_closed, now, out);
  }
  reply(out, c.request, Accepted{});
}

void Engine::Impl::on(SessionDied&& c, Now now, Effects& out) {
  if (Session* session = find_session(c.session)) {
    end_session(*session, true, c.how, EventKind::session_lost, now, out);
  }
}

void Engine::Impl::on(Subscribe&& c, Now now, Effects& out) {
  Session* session = find_session(c.session);
  if (session == nullptr || !session->present) return reply(out, c.request, no_session());
  if (session->credit + c.credit > credit_max) {
    return reply(out, c.request,
                 refuse(Refusal::invalid,
                        "the credit of a session must be at most " + std::to_string(credit_max)));
  }
  std::vector<TopicState*> named;
  for (const std::string& name : c.topics) {
    TopicState* state = topic_or_new(name, out);
    if (state == nullptr) {
      return reply(out, c.request,
                   refuse(Refusal::unknown_topic, "unknown topic " + name + ": create it first"));
    }
    named.push_back(state);
  }
  for (TopicState* state : named) {
    if (!session->topics.insert(state->topic.id).second) continue;
    state->subscribers.push_back(session);
    if (state->subscribers.size() == 1) activity_changed(*state);
    for (const auto& partition : state->partitions) {
      if (partition != nullptr && partition->wants_load(now.wall_ms, options_.window.page_jobs))
        want_loads(*partition);
    }
  }
  if (session->epoch != options_.epoch) {
    session->epoch = options_.epoch;
    out.changes.sessions_put.push_back({session->id, session->name, session->epoch});
  }
  session->credit += c.credit;
  credit_free_ += c.credit;
  reply(out, c.request, Accepted{});
}

void Engine::Impl::on(Grant&& c, Now /*now*/, Effects& /*out*/) {
  Session* session = find_session(c.session);
  if (session == nullptr || !session->present) return;
  const std::uint64_t granted = std::min(c.credit, credit_max - session->credit);
  session->credit += granted;
  credit_free_ += granted;
}

void Engine::Impl::on(Drain&& c, Now /*now*/, Effects& out) {
  Session* session = find_session(c.session);
  if (session == nullptr || !session->present) return reply(out, c.request, no_session());
  unsubscribe(*session);
  reply(out, c.request, Accepted{});
}

}  // namespace millrace::core
