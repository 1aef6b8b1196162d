#include "world.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <variant>

namespace millrace::explore {
namespace {

using namespace core;

constexpr const char* topic = "t";
constexpr std::int64_t tick_ms = 250;  // lease_tick_ms: a lease gets its row after one
constexpr RequestId of_enqueue = 100, of_cancel = 300, of_other = 400;
// Above it the number of a connection and of its worker: the answer to a HELLO may come late.
constexpr RequestId of_hello = 1'000;
// Above it the worker in the lowest three bits, and the token.
constexpr RequestId of_settle = RequestId{1} << 62U;

constexpr const char* kind_names[] = {
    "enqueue", "hello",  "receive", "settle",      "cancel",        "answer",     "commit answered",
    "tick",    "silent", "cut",     "worker dies", "worker starts", "death told", "broker dies"};
constexpr const char* outcome_names[] = {"completed", "retry", "discard", "release", "crashed"};

// One request however often it is sent.
ChangeId id_of_cancel(std::uint8_t job) {
  ChangeId id{};
  id[0] = static_cast<std::uint8_t>(job + 1);
  return id;
}

}  // namespace

void demand(bool holds, const char* what, std::uint64_t number) {
  if (holds) return;
  Violation violation;
  std::snprintf(violation.text.data(), violation.text.size(), "%s (%llu)", what,
                static_cast<unsigned long long>(number));
  throw violation;
}

std::string Action::str() const {
  std::string text = kind_names[static_cast<int>(kind)];
  const bool of_worker = kind != Kind::enqueue && kind != Kind::cancel && kind != Kind::answer &&
                         kind != Kind::commit && kind != Kind::tick && kind != Kind::broker_dies;
  if (of_worker) text += " worker " + std::to_string(worker + 1);
  if (kind == Kind::enqueue || kind == Kind::cancel || kind == Kind::settle) {
    text += " job " + std::to_string(job + 1);
  }
  if (kind == Kind::settle) {
    text += std::string(" ") + outcome_names[static_cast<int>(how)] + " token " +
            std::to_string(token >> 40U) + "." + std::to_string(token & 0xffffffffffU);
  }
  if (broker_dies) text += ", broker dies after the commit";
  if (fresh) text += " with the rows of now";
  if (commits > 0) text += ", " + std::to_string(commits) + " unanswered commits are on disk";
  return text;
}

World::World(Bounds bounds)
    : bounds_(bounds),
      workers_(static_cast<std::size_t>(bounds.workers)),
      jobs_(static_cast<std::size_t>(bounds.jobs)) {
  options_.lease_ms = 2 * tick_ms;
  options_.grace_ms = 2 * tick_ms;
  // A death waits one tick, and counts two ticks after another.
  options_.death_wait_ms_min = tick_ms;
  options_.deaths_apart_ms = 2 * tick_ms;
  options_.new_topic.backoff_ms_max = 0;
  options_.new_topic.partitions = 1;
  options_.new_topic.history = true;
  engine_ = std::make_unique<Engine>(options_, store_.recover(), now_);
}

SessionId World::session(int worker, int life) const {
  SessionId id{};
  id[0] = static_cast<std::uint8_t>(worker + 1);
  id[1] = static_cast<std::uint8_t>(life);
  return id;
}

bool World::broker_knows(int worker, int life) const {
  const auto all = engine_->sessions(now_);
  return std::any_of(all.begin(), all.end(),
                     [&](const SessionStats& s) { return s.id == session(worker, life); });
}

World::Job* World::job_of(std::uint64_t seq) {
  for (Job& job : jobs_) {
    if (job.seq == seq) return &job;
  }
  return nullptr;
}

std::vector<Action> World::possible() const {
  std::vector<Action> all;
  const bool faults = faults_ < bounds_.faults_max;
  const auto unwritten = static_cast<std::uint8_t>(not_on_disk());
  if (!turns_.empty()) all.push_back({.kind = Kind::commit});
  for (std::uint8_t commits = 0; faults && commits <= unwritten; ++commits) {
    all.push_back({.kind = Kind::broker_dies, .commits = commits});
  }
  add_losses(all);
  // What follows is a turn of the broker.
  if (!turns_.empty() && turns_.size() >= static_cast<std::size_t>(bounds_.commits_max)) return all;
  if (!asked_.empty()) {
    all.push_back({.kind = Kind::answer});
    for (std::uint8_t commits = asked_.front().outdated ? 0 : 1; commits <= unwritten; ++commits) {
      all.push_back({.kind = Kind::answer, .fresh = true, .commits = commits});
    }
  }
  // Each turn that writes may be the broker's last: what it wrote stays, what it said is lost.
  const auto with_death = [&](Action action) {
    all.push_back(action);
    action.broker_dies = true;
    if (faults && bounds_.commits_max == 0) all.push_back(action);
  };
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    const auto job = static_cast<std::uint8_t>(i);
    const bool next = i == 0 || jobs_[i - 1].sent;
    if (!jobs_[i].stored && next) with_death({.kind = Kind::enqueue, .job = job});
    if (bounds_.cancels && jobs_[i].stored && !jobs_[i].cancel_asked && !jobs_[i].cancel_answered) {
      with_death({.kind = Kind::cancel, .job = job});
    }
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto worker = static_cast<std::uint8_t>(i);
    const Worker& w = workers_[i];
    const int dead_life = w.alive ? w.life - 1 : w.life;
    if (dead_life > 0 && broker_knows(static_cast<int>(i), dead_life)) {
      with_death({.kind = Kind::death_told, .worker = worker});
    }
    if (!w.alive) continue;
    if (!w.connected) with_death({.kind = Kind::hello, .worker = worker});
    if (!w.inbox.empty()) all.push_back({.kind = Kind::receive, .worker = worker});
    for (const auto& [token, seq] : w.holds) {
      if (!w.subscribed) break;
      const auto job = static_cast<std::uint8_t>(seq - 1);
      Action action{.kind = Kind::settle, .worker = worker, .job = job, .token = token};
      with_death(action);
      action.how = OutcomeKind::retry;
      with_death(action);
      action.how = OutcomeKind::release;
      if (bounds_.releases) all.push_back(action);
    }
    if (faults && w.connected) all.push_back({.kind = Kind::tick_silent, .worker = worker});
  }
  with_death({.kind = Kind::tick});
  return all;
}

// What happens to workers without a turn of the broker.
void World::add_losses(std::vector<Action>& all) const {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto worker = static_cast<std::uint8_t>(i);
    if (!workers_[i].alive) {
      all.push_back({.kind = Kind::worker_starts, .worker = worker});
    } else if (faults_ < bounds_.faults_max) {
      if (workers_[i].connected) all.push_back({.kind = Kind::cut, .worker = worker});
      all.push_back({.kind = Kind::worker_dies, .worker = worker});
    }
  }
}

void World::apply(const Action& action) {
  Worker& w = workers_[action.worker];
  const int worker = action.worker;
  if (action.broker_dies) ++faults_;
  switch (action.kind) {
    case Kind::enqueue: enqueue(action.job, action.broker_dies); break;
    case Kind::hello: hello(worker, action.broker_dies); break;
    case Kind::receive: receive(worker); break;
    case Kind::settle: settle(action); break;
    case Kind::cancel:
      jobs_[action.job].cancel_asked = true;
      turn(
          Cancel{of_cancel + action.job, topic, 0, jobs_[action.job].seq, id_of_cancel(action.job)},
          action.broker_dies);
      break;
    case Kind::answer: answer_load(action.fresh, action.commits); break;
    case Kind::commit: commit_answered(); break;
    case Kind::tick: pass(-1, action.broker_dies); break;
    case Kind::tick_silent:
      ++faults_;
      pass(worker, false);
      break;
    case Kind::cut:
      ++faults_;
      disconnect(w);
      break;
    case Kind::worker_dies:
      ++faults_;
      disconnect(w);
      w.alive = false;
      w.holds.clear();
      w.settling.clear();
      break;
    case Kind::worker_starts:
      w.alive = true;
      ++w.life;
      break;
    case Kind::death_told:
      turn(SessionDied{session(worker, w.alive ? w.life - 1 : w.life), "was killed"},
           action.broker_dies);
      break;
    case Kind::broker_dies:
      ++faults_;
      put_on_disk(action.commits);
      crash();
      break;
  }
  judge();
}

void World::disconnect(Worker& worker) {
  worker.connected = worker.subscribed = false;
  worker.inbox.clear();
  worker.credit_given = 0;
  // Without an answer: they are still held, and claimed in the next HELLO.
  for (const auto& [token, said] : worker.settling) worker.holds.emplace(token, said.seq);
  worker.settling.clear();
}

void World::crash() {
  ++options_.epoch;
  turns_.clear();
  asked_.clear();
  for (Worker& worker : workers_) disconnect(worker);
  for (Job& job : jobs_) {
    job.newest = 0;
    job.cancel_asked = false;  // without an answer: asked again
  }
  engine_ = std::make_unique<Engine>(options_, store_.recover(), now_);
}

void World::release(Effects& effects, const std::vector<std::uint64_t>& connections) {
  for (const Reply& reply : effects.replies) heard(reply);
  for (Revoke& revoke : effects.revokes) {
    if (Worker* worker = listening(revoke.session, connections)) {
      worker->inbox.push_back({Message::What::revoke, {}, std::move(revoke.tokens)});
    }
  }
  for (Delivery& delivery : effects.deliveries) {
    drop_ended(delivery);
    if (delivery.jobs.empty()) continue;
    Worker* worker = listening(delivery.session, connections);
    for (const Delivered& delivered : delivery.jobs) {
      demand(delivered.token > newest_, "tokens rise strictly", delivered.token);
      newest_ = delivered.token;
      demand(store_.jobs.contains({1, 0, delivered.seq}), "only a live job is delivered",
             delivered.seq);
      demand(delivered.attempt <= bounds_.attempts_max, "an attempt is within its maximum",
             delivered.attempt);
      if (Job* job = job_of(delivered.seq)) job->newest = delivered.token;
      // One whose session had ended before it left was given to nobody.
      if (!engine_->has_session(delivery.session)) continue;
      std::uint32_t& given = given_[delivered.seq];
      given = std::min(given + 1, bounds_.attempts_max);
    }
    if (worker == nullptr) continue;
    demand(worker->credit_given >= delivery.jobs.size(), "no more is delivered than was granted",
           delivery.jobs.size());
    worker->credit_given -= delivery.jobs.size();
    worker->inbox.push_back({Message::What::deliver, std::move(delivery.jobs), {}});
  }
}

// What ended in a later turn is not delivered, and its credit comes back, as the shard does it.
void World::drop_ended(Delivery& delivery) {
  const std::size_t dropped = std::erase_if(delivery.jobs, [this](const Delivered& job) {
    const auto run = engine_->running({1, 0, job.seq});
    return !run || run->token != job.token;
  });
  if (dropped == 0) return;
  Effects none;
  engine_->step(Grant{delivery.session, dropped}, now_, none);
}

// Of a connection that came after the turn, nothing: HELLO has told the worker what it holds.
World::Worker* World::listening(const SessionId& id,
                                const std::vector<std::uint64_t>& connections) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (!worker.connected || worker.connection != connections[i]) continue;
    if (session(static_cast<int>(i), worker.life) == id) return &worker;
  }
  return nullptr;
}

void World::heard(const Reply& reply) {
  if (reply.request >= of_settle) {
    heard_of_settle(reply);
  } else if (reply.request >= of_hello) {
    Worker& worker = workers_[reply.request % of_hello];
    if (!worker.connected || worker.connection != reply.request / of_hello) return;
    const auto* opened = std::get_if<Opened>(&reply.body);
    demand(opened != nullptr, "HELLO is answered with OPENED");
    worker.inbox.push_back({Message::What::opened, {}, opened->lost});
  } else if (reply.request >= of_other) {
    return;
  } else if (reply.request >= of_cancel) {
    Job& job = jobs_[reply.request - of_cancel];
    job.cancel_answered = true;
    const bool cancelled = std::holds_alternative<Cancelled>(reply.body);
    demand(!cancelled || !job.completion_answered, "a completed job cannot be cancelled", job.seq);
    const auto ended = store_.finished.find({1, 0, job.seq});
    const bool done =
        ended != store_.finished.end() && ended->second.finish.state == State::cancelled;
    demand(cancelled == done, "a cancel that is sent again is answered as the first", job.seq);
    job.cancel_recorded |= cancelled;
  } else {
    const auto* stored = std::get_if<Stored>(&reply.body);
    demand(stored != nullptr && stored->count == 1, "a batch is stored");
    Job& job = jobs_[reply.request - of_enqueue];
    job.stored = true;
    job.seq = stored->first_seq;
    demand(&job == job_of(job.seq), "no two batches have one number", job.seq);
  }
}

void World::enqueue(int job, bool dies) {
  jobs_[static_cast<std::size_t>(job)].sent = true;
  SessionId producer{};
  producer[0] = 99;
  Enqueue batch{of_enqueue + static_cast<RequestId>(job),
                topic,
                0,
                ProducerStamp{producer, 1, static_cast<std::uint64_t>(job) + 1, 0},
                {}};
  batch.jobs.emplace_back();
  batch.jobs.back().payload = Bytes("p");
  batch.jobs.back().attempts_max = bounds_.attempts_max;
  turn(std::move(batch), dies);
}

void World::hello(int worker, bool dies) {
  Worker& w = workers_[static_cast<std::size_t>(worker)];
  w.connected = true;
  w.subscribed = false;
  ++w.connection;
  SessionOpen open{
      w.connection * of_hello + static_cast<RequestId>(worker), session(worker, w.life), "w", {}};
  for (const auto& [token, seq] : w.holds) open.held.push_back({topic, 0, seq, token});
  turn(std::move(open), dies);
}

void World::receive(int worker) {
  Worker& w = workers_[static_cast<std::size_t>(worker)];
  const Message message = std::move(w.inbox.front());
  w.inbox.pop_front();
  const SessionId id = session(worker, w.life);
  switch (message.what) {
    case Message::What::deliver:
      for (const Delivered& job : message.jobs) w.holds.emplace(job.token, job.seq);
      return;
    case Message::What::opened: {
      for (const Token token : message.tokens) w.holds.erase(token);
      w.subscribed = true;
      w.credit_given = bounds_.credit - std::min<std::uint64_t>(bounds_.credit, w.holds.size());
      return turn(Subscribe{of_other, id, {topic}, w.credit_given}, false);
    }
    case Message::What::revoke: {
      std::uint64_t gone = 0;
      for (const Token token : message.tokens) gone += w.holds.erase(token);
      if (gone == 0) return;
      w.credit_given += gone;
      return turn(Grant{id, gone}, false);
    }
  }
}

void World::settle(const Action& action) {
  Worker& w = workers_[action.worker];
  const std::uint64_t seq = w.holds.at(action.token);
  Settle command{
      of_settle + (action.token << 3U | action.worker), session(action.worker, w.life), {}, 1};
  command.outcomes.push_back({action.token, action.how, "why", {}, tick_ms});
  w.credit_given += 1;
  const Job* job = job_of(seq);
  w.settling[action.token] = {seq, action.how, job == nullptr || action.token >= job->newest};
  w.holds.erase(action.token);
  turn(std::move(command), action.broker_dies);
}

void World::heard_of_settle(const Reply& reply) {
  Worker& w = workers_[reply.request & 7U];
  const auto known = w.settling.find((reply.request - of_settle) >> 3U);
  if (known == w.settling.end()) return;  // that connection is gone
  const auto* settled = std::get_if<Settled>(&reply.body);
  if (settled == nullptr) return disconnect(w);  // the session is not known any more: HELLO next
  const Settling said = known->second;
  w.settling.erase(known);
  Job* job = job_of(said.seq);
  if (job == nullptr || !settled->stale.empty()) return;
  demand(said.newest, "only the newest token settles a job", said.seq);
  demand(!job->completion_answered && !job->cancel_recorded, "an ended job is settled by nothing",
         said.seq);
  if (said.how == OutcomeKind::completed) job->completion_answered = true;
}

void World::pass(int silent, bool dies) {
  now_.mono_ms += tick_ms;
  now_.wall_ms += tick_ms;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    const int index = static_cast<int>(i);
    if (!worker.connected || index == silent) continue;
    // The answer to a beat of a session that is gone says so.
    if (!broker_knows(index, worker.life)) {
      disconnect(worker);
    } else {
      Effects out;
      engine_->step(SessionBeat{session(index, worker.life)}, now_, out);
    }
  }
  turn(Tick{}, dies);
}

}  // namespace millrace::explore
