#include "power_model.h"

#include <iterator>

namespace millrace::testing {
namespace {

constexpr std::uint16_t partitions = 3;
constexpr std::size_t live_max = 48, finished_max = 48;

// storage's layout, said again: slot << 43 | priority << 39 | seq.
std::int64_t id_of(const core::JobRef& ref, std::uint8_t priority) {
  return static_cast<std::int64_t>(ref.partition) << 43 |
         static_cast<std::int64_t>(priority) << 39 | static_cast<std::int64_t>(ref.seq);
}

std::string place(const char* table, const core::Job& job) {
  return std::string(table) + " " + std::to_string(id_of(job.ref, job.priority));
}

std::string place(const char* table, const core::Id16& id) {
  return std::string(table) + " 0" + std::to_string(id[0]) + std::string(30, '0');
}

core::Id16 id_from(std::uint64_t number) {
  core::Id16 id{};
  id[0] = static_cast<std::uint8_t>(number);
  return id;
}

}  // namespace

void PowerModel::put(const core::Job& job) {
  live_[job.ref] = job;
  auto& counts = counts_[job.ref.partition];
  ++counts.live;
  if (job.state == core::State::scheduled) ++counts.scheduled;
  if (job.state == core::State::retryable) ++counts.retryable;
  rows_[place("jobs", job)] = (Line() << job.state << job.attempt << job.attempts_max << job.deaths
                                      << job.died_ms << job.enqueued_ms << job.due_ms << job.key
                                      << job.headers << job.error << job.payload)
                                  .text();
}

void PowerModel::take_out(const core::Job& job) {
  auto& counts = counts_[job.ref.partition];
  --counts.live;
  if (job.state == core::State::scheduled) --counts.scheduled;
  if (job.state == core::State::retryable) --counts.retryable;
  rows_.erase(place("jobs", job));
  live_.erase(job.ref);
}

core::ChangeSet PowerModel::next() {
  core::ChangeSet changes;
  if (rows_.empty()) {
    // Alone, so that the partitions get their local numbers in order.
    topic(changes);
    for (std::uint16_t p = 0; p < partitions; ++p) counts_[p] = {};
    write_counts(changes);
    return changes;
  }
  for (std::uint64_t i = 1 + random_() % 6; i > 0; --i) {
    const std::uint64_t what = random_() % 20;
    if (what < 8 || live_.empty()) {
      insert(changes);
    } else if (what < 10) {
      update(changes);
    } else if (what < 14) {
      finish(changes);
    } else if (what < 16) {
      lease(changes);
    } else if (what == 16) {
      forget(changes);
    } else if (what == 17) {
      session(changes);
    } else if (what == 18) {
      topic(changes);
      request(changes);
    } else {
      producer(changes);
    }
  }
  write_counts(changes);
  return changes;
}

void PowerModel::go_back_to(const PowerModel& before) {
  const auto random = random_;
  *this = before;
  random_ = random;
}

PowerModel::Live::iterator PowerModel::some_live() {
  return std::next(live_.begin(), static_cast<std::ptrdiff_t>(random_() % live_.size()));
}

void PowerModel::topic(core::ChangeSet& changes) {
  changes.topics.push_back({1, "t", {}, chance(50)});
  rows_["topics 1"] = (Line() << "t" << changes.topics.back().paused).text();
}

// Some are alike and neighbours, as those of a batch are: they share rows.
void PowerModel::insert(core::ChangeSet& changes) {
  const bool alike = chance(40);
  const std::uint64_t count = 1 + random_() % (alike ? 20 : 8);
  core::Job like;
  for (std::uint64_t i = 0; i < count && live_.size() < live_max; ++i) {
    if (i == 0 || !alike) {
      like.ref.topic = 1;
      like.ref.partition = static_cast<std::uint16_t>(random_() % partitions);
      like.priority = static_cast<std::uint8_t>(random_() % core::priorities);
    }
    core::Job job = like;
    auto& counts = counts_[job.ref.partition];
    job.ref.seq = counts.next_seq++;
    ++counts.enqueued;
    job.enqueued_ms = 1;
    // From none to several pages of overflow.
    const std::uint64_t bytes = chance(12) ? random_() % 12'000 : random_() % 300;
    job.payload = std::string(bytes, static_cast<char>('a' + random_() % 26));
    if (!alike) make_special(job);
    put(job);
    changes.inserts.push_back(std::move(job));
  }
}

void PowerModel::make_special(core::Job& job) {
  if (chance(20)) job.key = "k" + std::to_string(random_() % 9);
  if (chance(10)) job.headers = std::string("\x81\xa1h\x01", 4);
  if (!chance(20)) return;
  job.state = core::State::scheduled;
  job.due_ms = static_cast<std::int64_t>(1 + random_() % 1'000);
}

void PowerModel::update(core::ChangeSet& changes) {
  core::Job job = some_live()->second;
  take_out(job);
  job.state = core::State::retryable;
  job.due_ms = static_cast<std::int64_t>(1 + random_() % 1'000);
  ++job.attempt;
  job.error = "failed";
  if (chance(30)) {
    ++job.deaths;
    job.died_ms = static_cast<std::int64_t>(1 + random_() % 1'000);
  }
  ++counts_[job.ref.partition].retried;
  changes.updates.push_back({job.row(), job.status()});
  put(job);
  end_lease(changes, job);
}

void PowerModel::finish(core::ChangeSet& changes) {
  for (std::uint64_t i = 1 + random_() % 10; i > 0 && !live_.empty(); --i) {
    core::Job job = some_live()->second;
    take_out(job);
    core::JobFinish row;
    row.row = job.row();
    row.attempt = job.attempt + 1;
    row.finished_ms = 2;
    const std::uint64_t way = random_() % 10;
    row.state = way < 6   ? core::State::completed
                : way < 8 ? core::State::cancelled
                          : core::State::dead;
    auto& counts = counts_[job.ref.partition];
    if (row.state == core::State::completed) ++counts.completed;
    if (row.state == core::State::cancelled) ++counts.cancelled;
    row.keep = row.state == core::State::dead || chance(25);
    if (finished_.size() >= finished_max) {
      row.keep = false;
      if (row.state == core::State::dead) row.state = core::State::completed, ++counts.completed;
    }
    if (row.state == core::State::dead) {
      row.reason = core::DeadReason::quarantined;
      row.deaths = 3;
      row.error = "it died";
      ++counts.died;
      ++counts.dead;
    }
    if (row.keep) {
      row.started_ms = chance(50) ? 1 : 0;
      if (chance(50)) row.result = "r";
      row.worker = "w";
      rows_[place("finished", job)] =
          (Line() << job.ref.topic << row.state << row.reason << row.attempt << job.attempts_max
                  << row.deaths << job.enqueued_ms << row.started_ms << row.finished_ms << job.key
                  << job.headers << row.error << row.worker << row.result << job.payload)
              .text();
      job.state = row.state;
      finished_[job.ref] = job;
    }
    end_lease(changes, job);
    changes.finishes.push_back(std::move(row));
  }
}

void PowerModel::forget(core::ChangeSet& changes) {
  // What ended in this commit is written after what is forgotten.
  if (finished_.empty() || !changes.finishes.empty()) return;
  core::Job job = finished_.begin()->second;
  changes.finished_dropped.push_back(job.row());
  rows_.erase(place("finished", job));
  finished_.erase(job.ref);
  if (job.state != core::State::dead) return;
  auto& counts = counts_[job.ref.partition];
  --counts.dead;
  if (chance(50)) return;
  --counts.died;
  job.state = core::State::available;
  job.attempt = job.deaths = 0;
  job.died_ms = job.due_ms = 0;
  job.error = {};
  put(job);
  changes.inserts.push_back(std::move(job));
}

void PowerModel::lease(core::ChangeSet& changes) {
  const core::Job& job = some_live()->second;
  for (const core::RowRef& dropped : changes.leases_dropped) {
    if (dropped.ref == job.ref) return;
  }
  core::LeaseRow row{job.row(), id_from(1 + random_() % 3), ++tokens_, 1};
  leased_.insert(job.ref);
  const std::string session(row.session.begin(), row.session.end());
  rows_[place("leases", job)] = (Line() << session << row.token << row.started_ms).text();
  changes.leases_put.push_back(row);
}

void PowerModel::end_lease(core::ChangeSet& changes, const core::Job& job) {
  if (leased_.erase(job.ref) == 0) return;
  rows_.erase(place("leases", job));
  changes.leases_dropped.push_back(job.row());
}

void PowerModel::session(core::ChangeSet& changes) {
  if (!changes.sessions_put.empty()) return;
  const core::SessionId id = id_from(1 + random_() % 3);
  if (rows_.erase(place("sessions", id)) == 1) {
    changes.sessions_dropped.push_back(id);
    return;
  }
  for (const auto& dropped : changes.sessions_dropped) {
    if (dropped == id) return;
  }
  changes.sessions_put.push_back({id, "w" + std::to_string(random_() % 9), random_() % 9});
  const core::SessionRow& row = changes.sessions_put.back();
  rows_[place("sessions", id)] = (Line() << row.name << row.epoch).text();
}

void PowerModel::request(core::ChangeSet& changes) {
  if (!changes.requests_put.empty() || !changes.requests_dropped.empty()) return;
  core::RequestRow row;
  row.id = id_from(1 + random_() % 3);
  if (rows_.erase(place("requests", row.id)) == 1) {
    changes.requests_dropped.push_back(row.id);
    return;
  }
  row.kind = static_cast<core::RequestKind>(random_() % 6);
  row.at_ms = static_cast<std::int64_t>(1 + random_() % 1'000);
  row.value = random_() % 1'000;
  row.more = chance(50);
  rows_[place("requests", row.id)] =
      (Line() << row.kind << row.at_ms << row.value << row.more).text();
  changes.requests_put.push_back(row);
}

void PowerModel::producer(core::ChangeSet& changes) {
  core::ProducerRow row;
  row.id = id_from(1 + random_() % 3);
  row.epoch = 1;
  row.answered = random_() % (batches_ + 1);
  row.answers.push_back({++batches_, {1, 0}, batches_, 1});
  std::string answers;
  const auto put_number = [&answers](std::uint64_t value, unsigned width) {
    for (unsigned i = width; i-- > 0;) {
      answers.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
    }
  };
  put_number(batches_, 8);
  put_number(1, 4);
  put_number(0, 2);
  put_number(batches_, 8);
  put_number(1, 4);
  rows_[place("producers", row.id)] = (Line() << row.epoch << row.answered << answers).text();
  changes.producers_put.push_back(std::move(row));
}

void PowerModel::write_counts(core::ChangeSet& changes) {
  for (const auto& [partition, c] : counts_) {
    changes.partitions.push_back({{1, partition}, c});
    rows_["partitions " + std::to_string(partition)] =
        (Line() << 1 << partition << c.next_seq << c.live << c.scheduled << c.retryable << c.dead
                << c.enqueued << c.completed << c.cancelled << c.retried << c.died)
            .text();
  }
}

}  // namespace millrace::testing
