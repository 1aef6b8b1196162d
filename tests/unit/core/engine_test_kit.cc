#include "engine_test_kit.h"

#include <algorithm>
#include <stdexcept>

namespace millrace::core::test {
namespace {

void must(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

bool in_order(const Job& a, const Job& b) {
  return DuePlace{a.due_ms, a.priority, a.ref.seq} < DuePlace{b.due_ms, b.priority, b.ref.seq};
}

}  // namespace

void MemoryStore::apply(const ChangeSet& c) {
  for (const auto& topic : c.topics) topics[topic.id] = topic;
  for (const auto& session : c.sessions_put) sessions[session.id] = session;
  for (const auto& id : c.sessions_dropped) {
    must(sessions.erase(id) == 1, "dropped a session that is not there");
  }
  for (const auto& row : c.producers_put) producers[row.id] = row;
  for (const auto& id : c.producers_dropped) producers.erase(id);
  for (const auto& row : c.requests_put) {
    must(requests.emplace(row.id, row).second, "a request was remembered twice");
  }
  for (const auto& id : c.requests_dropped) {
    must(requests.erase(id) == 1, "forgot a request that is not there");
  }
  for (const auto& row : c.finished_dropped) {
    const auto at = finished.find(row.ref);
    must(at != finished.end() && at->second.job.row() == row,
         "dropped a finished job that is not there");
    finished.erase(at);
  }
  for (const auto& job : c.inserts) {
    must(jobs.emplace(job.ref, job).second, "a job was inserted twice");
    must(!finished.contains(job.ref), "a finished job was inserted again");
  }
  for (const auto& u : c.updates) {
    Job& job = jobs.at(u.row.ref);
    must(job.row() == u.row, "an update names the wrong priority");
    job.status() = u.status;
  }
  for (const auto& f : c.finishes) {
    const auto at = jobs.find(f.row.ref);
    must(at != jobs.end() && at->second.row() == f.row, "finished a job that is not there");
    if (f.state == State::completed) ++completions[f.row.ref];
    if (f.keep) finished[f.row.ref] = {at->second, f};
    jobs.erase(at);
  }
  for (const auto& lease : c.leases_put) leases[lease.row.ref] = lease;
  for (const auto& row : c.leases_dropped) {
    const auto at = leases.find(row.ref);
    must(at != leases.end() && at->second.row == row, "dropped a lease that is not there");
    leases.erase(at);
  }
  for (const auto& row : c.partitions) partitions[row.where] = row.counts;
}

Command MemoryStore::load(const Load& load) const {
  if (const auto* ready = std::get_if<LoadReady>(&load)) {
    ReadyLoaded answer{*ready, {}, false};
    for (const auto& [ref, job] : jobs) {
      if (ref.where() != ready->where || job.priority != ready->priority || job.due_ms != 0 ||
          ref.seq <= ready->after_seq) {
        continue;
      }
      if (answer.jobs.size() == ready->jobs_max) {
        answer.more = true;
        break;
      }
      answer.jobs.push_back(job);
    }
    return answer;
  }
  if (const auto* due = std::get_if<LoadDue>(&load)) {
    DueLoaded answer{*due, {}, false, {}};
    std::vector<Job> rows;
    for (const auto& [ref, job] : jobs) {
      const DuePlace place{job.due_ms, job.priority, ref.seq};
      if (ref.where() == due->where && job.due_ms != 0 && place > due->after) rows.push_back(job);
    }
    std::sort(rows.begin(), rows.end(), in_order);
    for (const Job& job : rows) {
      if (job.due_ms > due->until_ms) {
        answer.next_due_ms = job.due_ms;
        break;
      }
      if (answer.jobs.size() == due->jobs_max) {
        answer.more = true;
        break;
      }
      answer.jobs.push_back(job);
    }
    return answer;
  }
  if (const auto* one = std::get_if<LoadJob>(&load)) {
    JobLoaded answer{one->ticket, {}, finished.contains(one->ref)};
    if (const auto at = jobs.find(one->ref); at != jobs.end()) answer.job = at->second;
    return answer;
  }
  if (const auto* dead = std::get_if<LoadDead>(&load)) {
    DeadLoaded answer{dead->ticket, {}, false};
    for (const auto& [ref, row] : finished) {
      if (ref.topic != dead->topic || row.finish.state != State::dead) continue;
      const bool named = std::find(dead->refs.begin(), dead->refs.end(), ref) != dead->refs.end();
      if (!dead->refs.empty() && !named) continue;
      if (answer.jobs.size() == dead->jobs_max) {
        answer.more = true;
        break;
      }
      Job job = row.job;
      job.state = State::dead;
      job.due_ms = 0;
      answer.jobs.push_back(job);
    }
    return answer;
  }
  const auto& expired = std::get<LoadExpired>(load);
  ExpiredLoaded answer{expired.topic, {}, {}};
  for (const auto& [ref, row] : finished) {
    if (ref.topic != expired.topic) continue;
    const bool is_dead = row.finish.state == State::dead;
    if (is_dead && (row.finish.finished_ms < expired.dead_before_ms ||
                    answer.dead.size() < expired.dead_excess)) {
      answer.dead.push_back(row.job.row());
    } else if (!is_dead && row.finish.finished_ms < expired.history_before_ms) {
      answer.others.push_back(row.job.row());
    }
  }
  return answer;
}

Recovered MemoryStore::recover() const {
  Recovered r;
  for (const auto& [id, topic] : topics) r.topics.push_back(topic);
  for (const auto& [where, counts] : partitions) r.partitions.push_back({where, counts});
  for (const auto& [id, session] : sessions) r.sessions.push_back(session);
  for (const auto& [id, row] : producers) r.producers.push_back(row);
  for (const auto& [id, row] : requests) r.requests.push_back(row);
  std::sort(r.requests.begin(), r.requests.end(),
            [](const RequestRow& a, const RequestRow& b) { return a.at_ms < b.at_ms; });
  for (const auto& [ref, lease] : leases) r.leases.push_back({lease, jobs.at(ref)});
  return r;
}

EngineHarness::EngineHarness(EngineOptions given) : options(given) {
  engine = std::make_unique<Engine>(options, store.recover(), now);
}

Effects EngineHarness::turn(Command command, bool commit) {
  Effects all;
  std::vector<Command> commands;
  commands.push_back(std::move(command));
  while (!commands.empty()) {
    Effects out;
    for (Command& c : commands) engine->step(std::move(c), now, out);
    engine->step(Dispatch{}, now, out);
    commands.clear();
    if (!commit) return all;
    store.apply(out.changes);
    engine->step(TurnLeft{}, now, out);
    for (const auto& delivery : out.deliveries) {
      messages.emplace_back(delivery.session, delivery);
      delivered.insert(delivered.end(), delivery.jobs.begin(), delivery.jobs.end());
    }
    for (const Load& load : out.loads) commands.push_back(store.load(load));
    const auto move_all = [](auto& to, auto& from) {
      to.insert(to.end(), std::make_move_iterator(from.begin()),
                std::make_move_iterator(from.end()));
    };
    move_all(all.replies, out.replies);
    move_all(all.revokes, out.revokes);
    move_all(all.events, out.events);
    move_all(all.deliveries, out.deliveries);
  }
  replies = all.replies;
  return all;
}

void EngineHarness::crash() {
  ++options.epoch;
  engine = std::make_unique<Engine>(options, store.recover(), now);
}

void EngineHarness::pass(std::int64_t ms) {
  now.mono_ms += ms;
  now.wall_ms += ms;
}

std::vector<JobRef> EngineHarness::enqueue(int count, const NewJob& like, std::uint16_t partition) {
  Enqueue command{1, "t", partition, {}, {}};
  for (int i = 0; i < count; ++i) command.jobs.push_back(like);
  turn(std::move(command));
  const auto& stored = last<Stored>();
  std::vector<JobRef> refs;
  for (std::uint32_t i = 0; i < stored.count; ++i) {
    refs.push_back({engine->topic("t")->id, partition, stored.first_seq + i});
  }
  return refs;
}

SessionId EngineHarness::worker(std::uint8_t number, std::uint64_t credit,
                                std::vector<HeldJob> held) {
  const SessionId id = session_id(number);
  turn(SessionOpen{1, id, "w" + std::to_string(number), std::move(held)});
  const auto opened = replies;
  turn(Subscribe{2, id, {"t"}, credit});
  replies = opened;
  return id;
}

std::vector<Token> EngineHarness::settle(const SessionId& session, Token token, OutcomeKind kind,
                                         std::uint64_t credit) {
  Settle command{1, session, {}, credit};
  command.outcomes.push_back({token, kind, "why", {}, {}});
  turn(std::move(command));
  return last<Settled>().stale;
}

SessionId session_id(std::uint8_t number) {
  SessionId id{};
  id[0] = number;
  return id;
}

NewJob job_with(std::string_view payload) {
  NewJob job;
  job.payload = Bytes(payload);
  return job;
}

}  // namespace millrace::core::test
