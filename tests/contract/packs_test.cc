// Jobs that share a row (migrations/0005_packs.sql): which jobs do, how they leave it, and that
// readers of the file, by the store or by SQL, see jobs and not packs.
#include "storage/backup/contents.h"
#include "storage/checked_vfs.h"
#include "storage/sqlite_store.h"

#include "store_kit.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;
using core::ChangeSet;
using core::Job;
using core::State;

constexpr std::uint64_t many = 150;  // three packs

class Packs : public ::testing::Test, protected WithStore {
 protected:
  void SetUp() override {
    make_folder();
    reopen();
    ChangeSet start;
    start.topics.push_back({1, "t", {}, false});
    commit(std::move(start));
  }
  void TearDown() override {
    store_.reset();
    remove_folder();
  }
  // With the partition's counts as they follow from its changes.
  void commit(ChangeSet changes) {
    for (const Job& job : changes.inserts) {
      counts_.next_seq = std::max(counts_.next_seq, job.ref.seq + 1);
    }
    counts_.live += changes.inserts.size() - changes.finishes.size();
    for (const auto& update : changes.updates)
      counts_.retryable += update.status.state == State::retryable;
    for (const auto& finish : changes.finishes) counts_.dead += finish.state == State::dead;
    changes.partitions.push_back({{1, 0}, counts_});
    WithStore::commit(std::move(changes));
  }
  // The numbers of the page that begins after that one; each job has its own payload.
  std::vector<std::uint64_t> ready(std::uint64_t after = 0, std::size_t jobs_max = 1'000) {
    std::vector<std::uint64_t> found;
    const auto page =
        load<core::ReadyLoaded>(core::LoadReady{{1, 0}, 5, after, jobs_max, 1U << 20});
    for (const Job& job : page.jobs) {
      EXPECT_EQ(job.payload.bytes(), payload_of(job.ref.seq));
      found.push_back(job.ref.seq);
    }
    return found;
  }
  static std::string payload_of(std::uint64_t seq) {
    return std::string(seq % 7, 'x') + std::to_string(seq);
  }
  static Job job(std::uint64_t seq) {
    Job job;
    job.ref = {1, 0, seq};
    job.enqueued_ms = 1'000;
    job.payload = payload_of(seq);
    return job;
  }
  static ChangeSet inserts(std::uint64_t first, std::uint64_t last) {
    ChangeSet changes;
    for (std::uint64_t seq = first; seq <= last; ++seq) changes.inserts.push_back(job(seq));
    return changes;
  }
  static ChangeSet finishes(std::uint64_t first, std::uint64_t last, std::uint64_t step = 1) {
    ChangeSet changes;
    for (std::uint64_t seq = first; seq <= last; seq += step) {
      changes.finishes.push_back({.row = {{1, 0, seq}}});
    }
    return changes;
  }
  static std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last,
                                          std::uint64_t step = 1) {
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t seq = first; seq <= last; seq += step) numbers.push_back(seq);
    return numbers;
  }
  // The result of SQL on the file, columns separated by |, rows by a space.
  std::string sql(const std::string& question) {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open_v2(path_.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                              checked_vfs(nullptr).c_str()),
              SQLITE_OK);
    std::string answer;
    const auto add = [](void* to, int count, char** values, char**) {
      auto& text = *static_cast<std::string*>(to);
      if (!text.empty()) text += ' ';
      for (int i = 0; i < count; ++i) {
        text += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "" : values[i]);
      }
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db, question.c_str(), add, &answer, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
    return answer;
  }
  std::string rows() {
    return sql(
        "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM packs), "
        "(SELECT count(*) FROM pack_gaps)");
  }
  std::string wrongs() {
    store_.reset();
    const SoundFile file = check_shard(path_);
    return file.wrongs.empty() ? "" : file.wrongs.front();
  }

  core::PartitionCounts counts_;
};

TEST_F(Packs, NeighboursThatAreAlikeShareARowAndAreReadAsJobs) {
  commit(inserts(1, many));
  EXPECT_EQ(rows(), "0|3|0");
  EXPECT_EQ(sql("SELECT count FROM packs"), "62 44 44");  // of a long run even parts
  EXPECT_EQ(ready(), range(1, many));
  EXPECT_EQ(sql("SELECT count(*), sum(CAST(payload AS TEXT) = substr('xxxxxx', 1, (id & 511) % 7) "
                "|| (id & 511)) "
                "FROM live_jobs"),
            "150|150");
  EXPECT_EQ(sql("SELECT job, state, payload_bytes FROM job_list WHERE job = 't/0/100'"),
            "t/0/100|available|5");
  EXPECT_EQ(wrongs(), "");
}

// A query for ten jobs of ten million does not read the others.
TEST_F(Packs, AreLookedAtWithoutGatheringThemAll) {
  for (const char* view : {"job_list", "live_jobs"}) {
    const std::string plan =
        sql(std::string("EXPLAIN QUERY PLAN SELECT * FROM ") + view + " LIMIT 10");
    EXPECT_NE(plan.find("SCAN j"), std::string::npos) << plan;
    EXPECT_EQ(plan.find("MATERIALIZE"), std::string::npos) << plan;
  }
}

TEST_F(Packs, FewJobsAndThoseThatDifferHaveRowsOfTheirOwn) {
  ChangeSet changes = inserts(1, 12);
  changes.inserts[4].key = "k";
  changes.inserts[5].attempts_max = 3;
  commit(std::move(changes));
  EXPECT_EQ(rows(), "2|2|0");
  commit(inserts(13, 15));
  EXPECT_EQ(rows(), "5|2|0");
  EXPECT_EQ(ready(), range(1, 15));
}

TEST_F(Packs, HaveAnEndToTheirBytes) {
  ChangeSet changes;
  for (std::uint64_t seq = 1; seq <= 20; ++seq) {
    changes.inserts.push_back(job(seq));
    changes.inserts.back().payload = std::string(10'000, 'p');
  }
  changes.inserts[3].payload = std::string(100'000, 'p');
  commit(std::move(changes));
  EXPECT_EQ(sql("SELECT max(length(payloads)) <= 65536, sum(count) FROM packs"), "1|4");
  EXPECT_EQ(sql("SELECT count(*), sum(length(payload)) FROM live_jobs"), "20|290000");
}

TEST_F(Packs, APageMayBeginAndEndInOne) {
  commit(inserts(1, many));
  EXPECT_EQ(ready(61, 3), range(62, 64));
  EXPECT_EQ(ready(10, 60), range(11, 70));
  EXPECT_EQ(ready(149), range(150, 150));
  EXPECT_TRUE(ready(150).empty());
}

TEST_F(Packs, WhoHasLeftDoesNotComeBackAndTheLastTakesTheRowAlong) {
  commit(inserts(1, many));
  commit(finishes(1, many, 2));
  EXPECT_EQ(rows(), "0|3|3");
  reopen();
  EXPECT_EQ(ready(), range(2, many, 2));
  EXPECT_EQ(sql("SELECT count(*) FROM live_jobs"), "75");
  EXPECT_FALSE(load<core::JobLoaded>(core::LoadJob{1, {1, 0, 3}}).job);
  EXPECT_EQ(load<core::JobLoaded>(core::LoadJob{1, {1, 0, 4}}).job->payload, payload_of(4));
  commit(finishes(2, 100, 2));
  EXPECT_EQ(rows(), "0|2|2");
  commit(finishes(102, many, 2));
  EXPECT_EQ(rows(), "0|0|0");
  EXPECT_EQ(wrongs(), "");
}

TEST_F(Packs, OneThatEndsInOneCommitLeavesNoRowBehind) {
  commit(inserts(1, many));
  commit(finishes(1, many));
  EXPECT_EQ(rows(), "0|0|0");
}

TEST_F(Packs, AJobEndsOnce) {
  commit(inserts(1, many));
  commit(finishes(70, 75));
  EXPECT_FALSE(try_commit(finishes(75, 80)));
}

TEST_F(Packs, AJobOfARowAndItsNeighboursOfAPackEndTogether) {
  ChangeSet changes = inserts(1, 20);
  changes.inserts[9].key = "k";
  commit(std::move(changes));
  commit(finishes(8, 12));
  EXPECT_EQ(rows(), "0|2|2");
  EXPECT_EQ(ready().size(), 15U);
}

TEST_F(Packs, AJobThatFailsGetsARowOfItsOwn) {
  commit(inserts(1, 20));
  ChangeSet failed;
  failed.updates.push_back({.row = {{1, 0, 7}},
                            .status = {.state = State::retryable,
                                       .attempt = 2,
                                       .deaths = 1,
                                       .died_ms = 400,
                                       .due_ms = 500,
                                       .error = "why",
                                       .ended_token = 9}});
  commit(std::move(failed));
  reopen();
  EXPECT_EQ(rows(), "1|1|1");
  const auto got = load<core::JobLoaded>(core::LoadJob{1, {1, 0, 7}}).job;
  ASSERT_TRUE(got);
  EXPECT_EQ(got->state, State::retryable);
  EXPECT_EQ(got->attempt, 2U);
  EXPECT_EQ(got->deaths, 1U);
  EXPECT_EQ(got->died_ms, 400);
  EXPECT_EQ(got->due_ms, 500);
  EXPECT_EQ(got->error, "why");
  EXPECT_EQ(got->ended_token, 9U);
  EXPECT_EQ(got->payload, payload_of(7));
  EXPECT_EQ(ready().size(), 19U);
  EXPECT_EQ(sql("SELECT count(*) FROM live_jobs WHERE id & 511 = 7"), "1");
  // Once more, and then with all the others.
  ChangeSet again;
  again.updates.push_back({.row = {{1, 0, 7}}, .status = {.attempt = 3}});
  commit(std::move(again));
  EXPECT_EQ(ready(), range(1, 20));
  counts_.retryable = 0;
  commit(finishes(1, 20));
  EXPECT_EQ(rows(), "0|0|0");
  EXPECT_EQ(wrongs(), "");
}

TEST_F(Packs, AJobThatIsNotThereIsNotUpdated) {
  commit(inserts(1, 20));
  commit(finishes(5, 5));
  ChangeSet late;
  late.updates.push_back({.row = {{1, 0, 5}}, .status = {.attempt = 1}});
  EXPECT_FALSE(try_commit(std::move(late)));
}

TEST_F(Packs, AJobThatIsKeptTakesItsPayloadAlong) {
  commit(inserts(1, 20));
  ChangeSet dead;
  dead.finishes.push_back({.row = {{1, 0, 7}},
                           .state = State::dead,
                           .reason = core::DeadReason::discarded,
                           .keep = true,
                           .attempt = 1,
                           .finished_ms = 50,
                           .error = "bad"});
  commit(std::move(dead));
  const auto loaded = load<core::DeadLoaded>(core::LoadDead{1, 1, {}, 10});
  ASSERT_EQ(loaded.jobs.size(), 1U);
  EXPECT_EQ(loaded.jobs[0].payload, payload_of(7));
  EXPECT_EQ(loaded.jobs[0].enqueued_ms, 1'000);
  // It comes back under its number, beside the pack that it left.
  ChangeSet back = inserts(7, 7);
  back.finished_dropped.push_back({{1, 0, 7}});
  --counts_.dead;
  commit(std::move(back));
  EXPECT_EQ(ready(), range(1, 20));
  EXPECT_EQ(rows(), "1|1|1");
  EXPECT_EQ(wrongs(), "");
}

TEST_F(Packs, JobsThatComeBackTogetherAreNotPacked) {
  commit(inserts(1, 20));
  ChangeSet dead;
  for (std::uint64_t seq = 1; seq <= 8; ++seq) {
    dead.finishes.push_back({.row = {{1, 0, seq}}, .state = State::dead, .keep = true});
  }
  commit(std::move(dead));
  ChangeSet back = inserts(1, 8);
  for (const Job& job : back.inserts) back.finished_dropped.push_back(job.row());
  counts_.dead = 0;
  commit(std::move(back));
  EXPECT_EQ(rows(), "8|1|1");
  EXPECT_EQ(ready(), range(1, 20));
  EXPECT_EQ(wrongs(), "");
}

TEST_F(Packs, ARunningJobIsFoundAgainByItsLease) {
  commit(inserts(1, 20));
  ChangeSet running;
  running.leases_put.push_back({.row = {{1, 0, 9}}, .token = 5, .started_ms = 7});
  commit(std::move(running));
  reopen();
  ASSERT_EQ(recovered_.leases.size(), 1U);
  EXPECT_EQ(recovered_.leases[0].lease.row, (core::RowRef{{1, 0, 9}}));
  EXPECT_EQ(recovered_.leases[0].job.enqueued_ms, 1'000);
  EXPECT_EQ(sql("SELECT job FROM job_list WHERE state = 'running'"), "t/0/9");
  EXPECT_EQ(wrongs(), "");
}

TEST_F(Packs, AreListedAsJobs) {
  ChangeSet changes = inserts(1, many);
  changes.inserts[99].state = State::scheduled;
  changes.inserts[99].due_ms = 9'000;
  counts_.scheduled = 1;
  commit(std::move(changes));
  commit(finishes(98, 98));
  auto reader = store_->reader();
  ASSERT_TRUE(reader);
  const auto list = [&](std::optional<State> state, std::uint64_t after, std::size_t rows_max) {
    ListFilter filter{.topic = 1, .state = state, .rows_max = rows_max, .now_wall_ms = 2'000};
    if (after > 0) filter.after = core::JobRef{1, 0, after};
    std::vector<std::uint64_t> found;
    const auto rows = (*reader)->list(filter);
    EXPECT_TRUE(rows);
    for (const JobRow& row : *rows) {
      EXPECT_EQ(row.payload_bytes, payload_of(row.job.ref.seq).size());
      EXPECT_TRUE(row.job.payload.empty());
      found.push_back(row.job.ref.seq);
    }
    return found;
  };
  EXPECT_EQ(list({}, 95, 5), (std::vector<std::uint64_t>{96, 97, 99, 100, 101}));
  EXPECT_EQ(list(State::available, 95, 4), (std::vector<std::uint64_t>{96, 97, 99, 101}));
  EXPECT_EQ(list(State::scheduled, 0, 5), (std::vector<std::uint64_t>{100}));
  EXPECT_EQ(list({}, 0, 1'000).size(), many - 1);
  const auto one = (*reader)->job({1, 0, 99}, true);
  ASSERT_TRUE(one && *one);
  EXPECT_EQ((*one)->job.payload, payload_of(99));
  EXPECT_FALSE(*(*reader)->job({1, 0, 98}, true));
}

// Each a change that no commit makes.
TEST_F(Packs, WhatDoesNotAgreeIsSeenByVerify) {
  const std::pair<const char*, const char*> changes[] = {
      {"UPDATE packs SET count = 61 WHERE id & 511 = 1", "counts"},
      {"UPDATE packs SET payloads = x'00' WHERE id & 511 = 1", "is inconsistent"},
      {"UPDATE packs SET ends = '[1]' WHERE id & 511 = 1", "is inconsistent"},
      {"UPDATE packs SET ends = json_set(ends, '$[3]', 0) WHERE id & 511 = 1", "is inconsistent"},
      {"UPDATE packs SET ends = 'x' WHERE id & 511 = 1", "is inconsistent"},
      {"UPDATE packs SET id = id - 3 WHERE id & 511 = 63", "reaches into the next"},
      {"INSERT INTO pack_gaps VALUES (5 << 39 | 1, 3)", "counts"},
      {"INSERT INTO pack_gaps VALUES (5 << 39 | 1, 0)", "are not those of a pack"},
      {"INSERT INTO pack_gaps VALUES (9, 1)", "are not those of a pack"},
      {"INSERT INTO leases VALUES (999, x'00', 1, 1)", "leases of jobs that are not there"},
      {"UPDATE partitions SET live = 149; INSERT INTO pack_gaps VALUES (5 << 39 | 1, 2); "
       "INSERT INTO leases VALUES (5 << 39 | 2, x'00', 1, 1)",
       "leases of jobs that are not there"},
      {"INSERT INTO jobs (id, state, attempt, attempts_max, deaths, enqueued_ms, payload) VALUES "
       "(5 << 39 | 7, 2, 0, 25, 0, 1, x''); UPDATE partitions SET live = 151",
       "too"}};
  for (const auto& [change, said] : changes) {
    TearDown();
    counts_ = {};
    SetUp();
    commit(inserts(1, many));
    store_.reset();
    const auto damaged = [&] {
      std::string all;
      for (const std::string& wrong : check_shard(path_).wrongs) all += wrong + "\n";
      return all;
    };
    EXPECT_EQ(damaged(), "");
    sql(change);
    EXPECT_NE(damaged().find(said), std::string::npos) << change << ": " << damaged();
  }
}

TEST_F(Packs, OneThatDoesNotAgreeWithItselfIsNotGivenOut) {
  commit(inserts(1, many));
  store_.reset();
  sql("UPDATE packs SET ends = '[2,1]' WHERE id & 511 = 1");
  auto opened = open_sqlite({.path = path_});
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_TRUE((*opened)->recover());
  std::optional<Failure> said;
  (*opened)->load(core::LoadReady{{1, 0}, 5, 0, 9, 1'000},
                  [&](const auto& answer) { said = answer.error(); });
  EXPECT_EQ(said->kind, FailureKind::damaged);
  EXPECT_NE(said->message.find("is inconsistent"), std::string::npos);
  // Nor shown, and a query gets the reason.
  auto reader = (*opened)->reader();
  ASSERT_TRUE(reader);
  const auto rows = (*reader)->list({.topic = 1});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().kind, FailureKind::damaged);
  EXPECT_NE(rows.error().message.find("is inconsistent"), std::string::npos);
}

// Before packs were, a file has no tables of them: a backup of then is judged as well.
TEST_F(Packs, AFileOfAVersionWithoutThemIsVerifiedToo) {
  for (const char* version : {"1", "2", "3", "4"}) {
    std::ifstream in(std::string(MILLRACE_SCHEMAS "/") + version + ".sql");
    ASSERT_TRUE(in) << version;
    std::stringstream script;
    script << in.rdbuf();
    store_.reset();
    fs::remove_all(folder_);
    fs::create_directory(folder_);
    sql(script.str());
    const SoundFile file = check_shard(path_);
    EXPECT_TRUE(file.wrongs.empty()) << version << ": " << file.wrongs.front();
    EXPECT_EQ(file.contents.jobs, 3U);
    sql("UPDATE partitions SET live = live + 1");
    EXPECT_FALSE(check_shard(path_).wrongs.empty()) << version;
  }
}

}  // namespace
}  // namespace millrace::storage
