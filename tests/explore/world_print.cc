// The fingerprint of a world: the part of its state that can affect later steps. Left out are
// absolute times and numbers (a token counts by its place among those of its job), which worker is
// which, and state that only the engine has (how far it has read the backlog, the order of ready
// jobs).
#include "world.h"

#include <algorithm>
#include <set>

namespace millrace::explore {
namespace {

using namespace core;

constexpr std::uint64_t none = 0xff;

std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
  std::uint64_t z = (hash ^ word) + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

// Times count by how far they are ahead, in whole milliseconds; the past is all one.
std::uint64_t ahead(std::int64_t at_ms, std::int64_t now_ms) {
  return at_ms > now_ms ? static_cast<std::uint64_t>(at_ms - now_ms) : 0;
}

}  // namespace

// The tokens of each job that anybody still knows, in order.
struct World::Ranks {
  std::map<std::uint64_t, std::set<Token>> tokens;
  std::uint64_t epoch = 0;
  [[nodiscard]] std::uint64_t of(std::uint64_t seq, Token token) const {
    const auto job = tokens.find(seq);
    if (token == 0 || job == tokens.end()) return none;
    const auto place =
        static_cast<std::uint64_t>(std::distance(job->second.begin(), job->second.find(token)));
    return place << 1U | ((token >> 40U) == epoch ? 1U : 0U);
  }
};

std::vector<std::uint64_t> World::worker_words(int worker, const Ranks& ranks) const {
  const Worker& w = workers_[static_cast<std::size_t>(worker)];
  std::vector<std::uint64_t> words{w.alive, w.connected, w.subscribed, w.credit_given};
  for (const auto& [token, seq] : w.holds) {
    words.push_back(seq << 8U | ranks.of(seq, token));
  }
  words.push_back(none);
  for (const auto& [token, said] : w.settling) {
    words.insert(words.end(), {said.seq << 8U | ranks.of(said.seq, token),
                               static_cast<std::uint64_t>(said.how), said.newest});
  }
  words.push_back(none);
  for (const Message& message : w.inbox) {
    words.push_back(static_cast<std::uint64_t>(message.what) + 1);
    for (const Delivered& job : message.jobs) {
      words.push_back(job.seq << 8U | ranks.of(job.seq, job.token));
    }
    for (const Token token : message.tokens) {
      const auto held = w.holds.find(token);
      words.push_back(held == w.holds.end() ? none
                                            : held->second << 8U | ranks.of(held->second, token));
    }
  }
  words.push_back(none);
  const auto sessions = engine_->sessions(now_);
  for (int life = w.life; life > 0 && life > w.life - 3; --life) {
    const SessionId id = session(worker, life);
    words.push_back(store_.sessions.contains(id));
    for (const SessionStats& s : sessions) {
      if (s.id != id) continue;
      words.insert(words.end(), {s.present, static_cast<std::uint64_t>(s.silent_ms), s.credit,
                                 s.topics.size(), s.running});
    }
    for (std::uint64_t seq = 1; seq <= jobs_.size(); ++seq) {
      const auto run = engine_->running({1, 0, seq});
      const auto row = store_.leases.find({1, 0, seq});
      const bool runs = run && run->session == id;
      words.push_back(runs ? ranks.of(seq, run->token) : none);
      words.push_back(runs && now_.wall_ms - run->started_ms >= lease_tick_ms);
      const bool written = row != store_.leases.end() && row->second.session == id;
      words.push_back(written ? ranks.of(seq, row->second.token) : none);
    }
  }
  return words;
}

void World::add_job(std::vector<std::uint64_t>& words, const Job& job, const Ranks& ranks) const {
  words.insert(words.end(),
               {job.sent, job.stored, job.cancel_asked, job.cancel_answered, job.cancel_recorded,
                job.completion_answered, ranks.of(job.seq, job.newest)});
}

void World::add_loads(std::vector<std::uint64_t>& words) const {
  const auto add_rows = [&](const auto& rows) {
    for (const core::Job& job : rows) words.push_back(job.ref.seq << 8U | job.attempt);
  };
  for (const Asked& asked : asked_) {
    words.push_back(asked.answer.index() << 1U | (asked.outdated ? 1U : 0U));
    words.insert(words.end(), asked.changed.begin(), asked.changed.end());
    words.push_back(none);
    if (const auto* ready = std::get_if<ReadyLoaded>(&asked.answer)) {
      words.push_back(ready->asked.after_seq);
      add_rows(ready->jobs);
    } else if (const auto* due = std::get_if<DueLoaded>(&asked.answer)) {
      words.push_back(ahead(due->next_due_ms.value_or(0), now_.wall_ms));
      add_rows(due->jobs);
    } else if (const auto* one = std::get_if<JobLoaded>(&asked.answer)) {
      words.push_back(one->finished);
      if (one->job) words.push_back(one->job->ref.seq << 8U | one->job->attempt);
    }
  }
}

// Which worker, and how many of its lives ago.
std::uint64_t World::session_word(const SessionId& id) const {
  const auto worker = static_cast<std::size_t>(id[0] - 1);
  return static_cast<std::uint64_t>(worker << 8U) |
         static_cast<std::uint8_t>(workers_[worker].life - id[1]);
}

void World::add_turns(std::vector<std::uint64_t>& words, const Ranks& ranks) const {
  for (const Turn& turn : turns_) {
    const ChangeSet& c = turn.effects.changes;
    words.insert(words.end(), {none, turn.on_disk, turn.answered});
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      words.push_back(turn.connections[i] == workers_[i].connection);
    }
    for (const core::Job& job : c.inserts) words.push_back(job.ref.seq);
    for (const JobUpdate& u : c.updates) {
      words.insert(words.end(),
                   {u.row.ref.seq, static_cast<std::uint64_t>(u.status.state), u.status.attempt,
                    u.status.deaths, ahead(u.status.due_ms, now_.wall_ms)});
    }
    words.push_back(none);
    for (const JobFinish& f : c.finishes) {
      words.insert(words.end(), {f.row.ref.seq, static_cast<std::uint64_t>(f.state), f.attempt});
    }
    words.push_back(none);
    for (const LeaseRow& lease : c.leases_put) words.push_back(lease.row.ref.seq);
    words.push_back(c.leases_dropped.size());
    for (const SessionRow& row : c.sessions_put) words.push_back(session_word(row.id) << 1U);
    for (const SessionId& id : c.sessions_dropped) words.push_back(session_word(id) << 1U | 1U);
    words.push_back(none);
    for (const Reply& reply : turn.effects.replies) {
      words.insert(words.end(), {reply.body.index(), reply.request & 0xffU});
    }
    for (const Revoke& revoke : turn.effects.revokes) words.push_back(session_word(revoke.session));
    words.push_back(none);
    for (const Delivery& delivery : turn.effects.deliveries) {
      words.push_back(session_word(delivery.session));
      for (const Delivered& job : delivery.jobs) {
        words.push_back(job.seq << 8U | ranks.of(job.seq, job.token));
      }
    }
    words.push_back(turn.effects.loads.size());
  }
}

std::uint64_t World::fingerprint() const {
  Ranks ranks;
  ranks.epoch = options_.epoch;
  for (const Job& job : jobs_) {
    if (job.newest != 0) ranks.tokens[job.seq].insert(job.newest);
  }
  for (const auto& [ref, job] : store_.jobs) {
    if (const auto run = engine_->running(ref)) ranks.tokens[ref.seq].insert(run->token);
  }
  for (const auto& [ref, lease] : store_.leases) ranks.tokens[ref.seq].insert(lease.token);
  for (const Turn& turn : turns_) {
    for (const Delivery& delivery : turn.effects.deliveries) {
      for (const Delivered& job : delivery.jobs) ranks.tokens[job.seq].insert(job.token);
    }
  }
  for (const Worker& worker : workers_) {
    for (const auto& [token, seq] : worker.holds) ranks.tokens[seq].insert(token);
    for (const auto& [token, said] : worker.settling) ranks.tokens[said.seq].insert(token);
    for (const Message& message : worker.inbox) {
      for (const Delivered& job : message.jobs) ranks.tokens[job.seq].insert(job.token);
    }
  }

  std::vector<std::uint64_t> words;
  for (const Job& job : jobs_) add_job(words, job, ranks);
  for (const auto& [ref, job] : store_.jobs) {
    words.insert(words.end(), {ref.seq, static_cast<std::uint64_t>(job.state), job.attempt,
                               job.deaths, job.due_ms != 0, ahead(job.due_ms, now_.wall_ms),
                               ahead(job.died_ms + options_.deaths_apart_ms, now_.wall_ms)});
  }
  for (const auto& [ref, row] : store_.finished) {
    words.insert(words.end(), {ref.seq, static_cast<std::uint64_t>(row.finish.state),
                               row.finish.attempt, row.finish.deaths});
  }
  const auto due = engine_->next_due_ms();
  words.insert(words.end(), {engine_->window_jobs(), engine_->credit_free(),
                             static_cast<std::uint64_t>(engine_->grace_ms(now_)),
                             due ? ahead(*due, now_.wall_ms) : none});
  for (const auto& [seq, given] : given_) words.push_back(seq << 8U | given);
  add_loads(words);
  add_turns(words, ranks);
  // Workers have no names: which of them is in which state does not matter.
  std::vector<std::vector<std::uint64_t>> workers;
  workers.reserve(static_cast<std::size_t>(bounds_.workers));
  for (int i = 0; i < bounds_.workers; ++i) workers.push_back(worker_words(i, ranks));
  std::sort(workers.begin(), workers.end());
  for (const auto& worker : workers) {
    words.push_back(worker.size());
    words.insert(words.end(), worker.begin(), worker.end());
  }
  std::uint64_t hash = 1;
  for (const std::uint64_t word : words) hash = mixed(hash, word);
  return hash;
}

}  // namespace millrace::explore
