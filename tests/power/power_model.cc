#include "power_model.h"

#include <sqlite3.h>
#include <iterator>
#include <memory>

namespace millrace::testing {
namespace {

constexpr std::uint16_t partitions = 3;
constexpr std::size_t live_max = 48;

// storage's layout, said again: slot << 43 | priority << 39 | seq.
std::int64_t id_of(const core::JobRef& ref, std::uint8_t priority) {
  return static_cast<std::int64_t>(ref.partition) << 43 |
         static_cast<std::int64_t>(priority) << 39 | static_cast<std::int64_t>(ref.seq);
}

std::string place(const char* table, const core::JobRef& ref, std::uint8_t priority) {
  return std::string(table) + " " + std::to_string(id_of(ref, priority));
}

std::uint64_t hash(std::string_view bytes) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char byte : bytes) {
    value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }
  return value;
}

struct Table {
  const char* name;
  const char* sql;  // key first
};
constexpr Table tables[] = {
    {"jobs", "SELECT id, state, attempt, deaths, ifnull(due_ms,0), payload FROM jobs"},
    {"finished", "SELECT id, state, attempt, result FROM finished"},
    {"partitions", "SELECT slot, next_seq, live, completed, dead FROM partitions"},
    {"producers", "SELECT hex(id), epoch, answers FROM producers"},
    {"topics", "SELECT id, name FROM topics"},
};

}  // namespace

void PowerModel::put(const core::Job& job) {
  rows_[place("jobs", job.ref, job.priority)] =
      std::to_string(static_cast<int>(job.state)) + " " + std::to_string(job.attempt) + " " +
      std::to_string(job.deaths) + " " + std::to_string(job.due_ms) + " " +
      std::to_string(hash(job.payload));
}

core::ChangeSet PowerModel::next() {
  core::ChangeSet changes;
  if (rows_.empty()) {
    // Alone, so that the partitions get their local numbers in order.
    first(changes);
    write_counts(changes);
    return changes;
  }
  const std::uint64_t rounds = 1 + random_() % 6;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const std::uint64_t what = random_() % 10;
    if (what < 5 || live_.empty()) {
      insert(changes);
    } else if (what < 6 && changes.inserts.empty() && changes.updates.empty()) {
      update(changes);
    } else if (what < 9 && changes.inserts.empty() && changes.updates.empty()) {
      finish(changes);
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

void PowerModel::first(core::ChangeSet& changes) {
  changes.topics.push_back({1, "t", {}, false});
  rows_["topics 1"] = std::to_string(hash("t"));
  for (std::uint16_t p = 0; p < partitions; ++p) counts_[p] = {};
}

void PowerModel::insert(core::ChangeSet& changes) {
  const std::uint64_t count = 1 + random_() % 8;
  for (std::uint64_t i = 0; i < count && live_.size() < live_max; ++i) {
    core::Job job;
    job.ref = {1, static_cast<std::uint16_t>(random_() % partitions), 0};
    job.ref.seq = counts_[job.ref.partition].next_seq++;
    job.priority = static_cast<std::uint8_t>(random_() % core::priorities);
    job.enqueued_ms = 1;
    // From none to several pages of overflow.
    const std::uint64_t bytes = random_() % 8 == 0 ? random_() % 12'000 : random_() % 300;
    job.payload = std::string(bytes, static_cast<char>('a' + random_() % 26));
    if (random_() % 5 == 0) {
      job.state = core::State::scheduled;
      job.due_ms = static_cast<std::int64_t>(1 + random_() % 1'000);
    }
    ++counts_[job.ref.partition].live;
    put(job);
    live_[job.ref] = job;
    changes.inserts.push_back(std::move(job));
  }
}

void PowerModel::update(core::ChangeSet& changes) {
  auto at = live_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(random_() % live_.size()));
  core::Job& job = at->second;
  job.state = core::State::retryable;
  job.due_ms = static_cast<std::int64_t>(1 + random_() % 1'000);
  ++job.attempt;
  changes.updates.push_back(
      {job.ref, job.priority, job.state, job.attempt, job.deaths, job.due_ms, "failed"});
  put(job);
}

void PowerModel::finish(core::ChangeSet& changes) {
  const std::uint64_t count = 1 + random_() % 10;
  for (std::uint64_t i = 0; i < count && !live_.empty(); ++i) {
    auto at = live_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % live_.size()));
    const core::Job job = at->second;
    core::JobFinish row;
    row.ref = job.ref;
    row.priority = job.priority;
    row.keep = random_() % 4 == 0;
    row.attempt = job.attempt + 1;
    row.finished_ms = 2;
    if (row.keep) {
      row.result = "r";
      rows_[place("finished", job.ref, job.priority)] =
          "5 " + std::to_string(row.attempt) + " " + std::to_string(hash("r"));
    }
    rows_.erase(place("jobs", job.ref, job.priority));
    --counts_[job.ref.partition].live;
    ++counts_[job.ref.partition].completed;
    live_.erase(at);
    changes.finishes.push_back(std::move(row));
  }
}

void PowerModel::producer(core::ChangeSet& changes) {
  core::ProducerRow row;
  row.id[0] = static_cast<std::uint8_t>(1 + random_() % 3);
  row.epoch = 1;
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
  std::string id = "producers 0" + std::to_string(row.id[0]) + std::string(30, '0');
  rows_[id] = "1 " + std::to_string(hash(answers));
  changes.producers_put.push_back(std::move(row));
}

void PowerModel::write_counts(core::ChangeSet& changes) {
  for (const auto& [partition, counts] : counts_) {
    changes.partitions.push_back({{1, partition}, counts});
    rows_["partitions " + std::to_string(partition)] =
        std::to_string(counts.next_seq) + " " + std::to_string(counts.live) + " " +
        std::to_string(counts.completed) + " " + std::to_string(counts.dead);
  }
}

bool read_rows(const std::string& path, const char* vfs, Rows& rows, std::string& wrong) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, vfs);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> db(opened, sqlite3_close_v2);
  if (code != SQLITE_OK) {
    wrong = "it cannot be opened to look at it";
    return false;
  }
  const auto each = [&](const char* sql, auto&& take) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(db.get(), sql, -1, &prepared, nullptr) != SQLITE_OK) return false;
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(prepared,
                                                                          sqlite3_finalize);
    int step = 0;
    while ((step = sqlite3_step(prepared)) == SQLITE_ROW) take(prepared);
    return step == SQLITE_DONE;
  };
  bool well = each("PRAGMA integrity_check(1)", [&wrong](sqlite3_stmt* row) {
    const std::string said = reinterpret_cast<const char*>(sqlite3_column_text(row, 0));
    if (said != "ok") wrong = "integrity check: " + said;
  });
  for (const Table& table : tables) {
    well = well && each(table.sql, [&](sqlite3_stmt* row) {
             std::string text;
             for (int i = 1; i < sqlite3_column_count(row); ++i) {
               if (i > 1) text += ' ';
               const int type = sqlite3_column_type(row, i);
               const void* data = sqlite3_column_blob(row, i);
               const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, i));
               const std::string_view bytes(static_cast<const char*>(data), size);
               // Texts and blobs as hashes; a zero blob has no address.
               text += type == SQLITE_INTEGER ? std::to_string(sqlite3_column_int64(row, i))
                                              : std::to_string(hash(bytes));
             }
             const std::string key = reinterpret_cast<const char*>(sqlite3_column_text(row, 0));
             rows[std::string(table.name) + " " + key] = text;
           });
  }
  if (!well && wrong.empty()) wrong = std::string("reading it: ") + sqlite3_errmsg(db.get());
  return wrong.empty();
}

std::string difference(const Rows& wanted, const Rows& found) {
  for (const auto& [key, row] : wanted) {
    const auto at = found.find(key);
    if (at == found.end()) return key + " is missing";
    if (at->second != row) return key + " is [" + at->second + "] and not [" + row + "]";
  }
  for (const auto& [key, row] : found) {
    if (!wanted.contains(key)) return key + " is there and should not be";
  }
  return {};
}

}  // namespace millrace::testing
