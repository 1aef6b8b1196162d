// The contract of every store (broker/storage/store.h). A second store is added by a second
// factory; a store in memory that answers late on purpose is one of them.
#include "late_in_memory.h"
#include "storage/columns.h"
#include "storage/sqlite_store.h"
#include "store_kit.h"

#include <gtest/gtest.h>
#include <functional>
#include <string>
#include <vector>

namespace millrace::storage {
namespace {

using core::ChangeSet;
using core::Job;
using core::JobRef;
using core::State;

struct Factory {
  const char* name;
  std::function<Expected<std::unique_ptr<Store>>(const std::string& path)> open;
};

class StoreContract : public ::testing::TestWithParam<Factory>, protected WithStore {
 protected:
  StoreContract() : WithStore(GetParam().open) {}
  void SetUp() override {
    make_folder();
    reopen();
    ChangeSet start;
    start.topics.push_back({1, "t", {}, false});
    start.partitions.push_back({{1, 0}, {}});
    commit(std::move(start));
  }
  void TearDown() override {
    store_.reset();
    remove_folder();
  }
  core::ReadyLoaded ready(std::uint64_t after = 0, std::size_t jobs_max = 100) {
    return load<core::ReadyLoaded>(core::LoadReady{{1, 0}, 5, after, jobs_max, 1U << 20});
  }
  static Job job(std::uint64_t seq, std::string_view payload = "p", std::int64_t due_ms = 0) {
    Job job;
    job.ref = {1, 0, seq};
    job.state = due_ms == 0 ? State::available : State::scheduled;
    job.enqueued_ms = 1'000;
    job.due_ms = due_ms;
    job.payload = core::Bytes(payload);
    return job;
  }
  static ChangeSet inserts(std::uint64_t first, std::uint64_t count) {
    ChangeSet changes;
    for (std::uint64_t i = 0; i < count; ++i) changes.inserts.push_back(job(first + i));
    return changes;
  }
};

TEST_P(StoreContract, WhatIsCommittedIsLoadedInOrderAndInPages) {
  commit(inserts(1, 5));
  const auto page = ready(1, 2);
  ASSERT_EQ(page.jobs.size(), 2U);
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.jobs[0].ref.seq, 2U);
  EXPECT_EQ(page.jobs[0].payload.bytes(), "p");
  const auto rest = ready(3);
  EXPECT_EQ(rest.jobs.size(), 2U);
  EXPECT_FALSE(rest.more);
}

// A store may write jobs that are alike in another way than others: what differs must still be
// seen.
TEST_P(StoreContract, AmongManyJobsThatAreAlikeEachKeepsWhatIsItsOwn) {
  constexpr std::uint64_t many = 200;
  ChangeSet changes = inserts(1, many);
  for (Job& each : changes.inserts) {
    each.payload = std::to_string(each.ref.seq);
    if (each.ref.seq == 30) each.attempts_max = 3;
    if (each.ref.seq == 60) each.enqueued_ms = 999;
    if (each.ref.seq == 90) each.attempt = 2;
    if (each.ref.seq == 110) each.deaths = 1;
    if (each.ref.seq == 130) each.key = "k";
    if (each.ref.seq == 150) each.headers = "h";
    if (each.ref.seq == 170) each.error = "e";
  }
  const std::vector<Job> wanted = changes.inserts;
  commit(std::move(changes));
  const auto page = ready(0, many);
  ASSERT_EQ(page.jobs.size(), many);
  for (std::size_t i = 0; i < many; ++i) {
    const Job &got = page.jobs[i], &put = wanted[i];
    EXPECT_EQ(got.ref, put.ref);
    EXPECT_EQ(got.payload, put.payload);
    EXPECT_EQ(got.state, put.state);
    EXPECT_EQ(got.attempts_max, put.attempts_max) << got.ref.seq;
    EXPECT_EQ(got.enqueued_ms, put.enqueued_ms) << got.ref.seq;
    EXPECT_EQ(got.attempt, put.attempt) << got.ref.seq;
    EXPECT_EQ(got.deaths, put.deaths) << got.ref.seq;
    EXPECT_EQ(got.key, put.key) << got.ref.seq;
    EXPECT_EQ(got.headers, put.headers) << got.ref.seq;
    EXPECT_EQ(got.error, put.error) << got.ref.seq;
  }
}

TEST_P(StoreContract, TheTimeOfADeathSurvives) {
  commit(inserts(1, 1));
  ChangeSet died;
  died.updates.push_back({.row = {{1, 0, 1}},
                          .status = {.state = State::retryable,
                                     .attempt = 1,
                                     .deaths = 1,
                                     .died_ms = 1'234,
                                     .due_ms = 2'000}});
  commit(std::move(died));
  reopen();
  const auto got = load<core::JobLoaded>(core::LoadJob{1, {1, 0, 1}});
  ASSERT_TRUE(got.job);
  EXPECT_EQ(got.job->deaths, 1U);
  EXPECT_EQ(got.job->died_ms, 1'234);
}

TEST_P(StoreContract, RequestsAndTheirAnswersSurviveTheOldestFirst) {
  const auto id = [](std::uint8_t number) { return core::ChangeId{number}; };
  ChangeSet made;
  made.requests_put.push_back({id(1), core::RequestKind::purge, 3'000, 1'024, true});
  made.requests_put.push_back({id(2), core::RequestKind::cancel, 1'000, 0, false});
  made.requests_put.push_back({id(3), core::RequestKind::pause, 2'000, 1, false});
  commit(std::move(made));
  reopen();
  ASSERT_EQ(recovered_.requests.size(), 3U);
  EXPECT_EQ(recovered_.requests[0].id, id(2));
  EXPECT_EQ(recovered_.requests[1].kind, core::RequestKind::pause);
  EXPECT_EQ(recovered_.requests[1].value, 1U);
  EXPECT_EQ(recovered_.requests[2].at_ms, 3'000);
  EXPECT_EQ(recovered_.requests[2].value, 1'024U);
  EXPECT_TRUE(recovered_.requests[2].more);
  ChangeSet dropped;
  dropped.requests_dropped = {id(2), id(1)};
  commit(std::move(dropped));
  reopen();
  ASSERT_EQ(recovered_.requests.size(), 1U);
  EXPECT_EQ(recovered_.requests[0].id, id(3));
}

TEST_P(StoreContract, EveryFieldOfAJobSurvives) {
  Job full = job(1, std::string("\0\xff", 2), 5'000);
  full.state = State::retryable;
  full.priority = 2;
  full.attempt = 3;
  full.attempts_max = 7;
  full.deaths = 1;
  full.key = "key";
  full.headers = std::string("h\0", 2);
  full.error = "why";
  ChangeSet changes;
  changes.inserts.push_back(full);
  commit(std::move(changes));
  reopen();
  const auto got = load<core::JobLoaded>(core::LoadJob{1, full.ref});
  ASSERT_TRUE(got.job);
  EXPECT_EQ(got.job->payload.bytes(), full.payload.bytes());
  EXPECT_EQ(got.job->state, full.state);
  EXPECT_EQ(got.job->priority, 2);
  EXPECT_EQ(got.job->attempt, 3U);
  EXPECT_EQ(got.job->attempts_max, 7U);
  EXPECT_EQ(got.job->deaths, 1U);
  EXPECT_EQ(got.job->due_ms, 5'000);
  EXPECT_EQ(got.job->key, "key");
  EXPECT_EQ(got.job->headers, full.headers);
  EXPECT_EQ(got.job->error, "why");
}

// A value of its own in every column of a list, and the comparison of two rows by one.
template <typename Row>
auto fill(Row& row) {
  return [&row, next = 10](const auto& /*column*/, auto member) mutable {
    using Value = std::remove_reference_t<decltype(row.*member)>;
    if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>) {
      row.*member = static_cast<Value>(++next);
    } else {
      row.*member = "v" + std::to_string(++next);
    }
  };
}
template <typename A, typename B>
auto compare(const A& got, const B& wanted) {
  return [&got, &wanted](const auto& column, auto member) {
    EXPECT_TRUE(got.*member == wanted.*member) << column.name;
  };
}

TEST_P(StoreContract, EveryColumnOfAJobComesBack) {
  Job full;
  job_columns(fill(full));
  full.ref = {1, 0, 1};
  full.state = State::retryable;
  ChangeSet changes = inserts(2, 40);  // of which SQLite packs the later ones
  changes.inserts.push_back(full);
  changes.updates.push_back({{{1, 0, 30}}, full.status()});
  commit(std::move(changes));
  reopen();
  const auto whole = load<core::JobLoaded>(core::LoadJob{1, full.ref});
  job_columns(compare(whole.job.value(), full));
  const auto updated = load<core::JobLoaded>(core::LoadJob{1, {1, 0, 30}});
  Job wanted = job(30);
  wanted.status() = full.status();
  job_columns(compare(updated.job.value(), wanted));
}

TEST_P(StoreContract, EveryColumnOfAnEndComesBack) {
  Job full;
  given_columns<Job>(fill(full));
  full.ref = {1, 0, 1};
  ChangeSet changes = inserts(2, 40);
  changes.inserts.push_back(full);
  commit(std::move(changes));
  // One had a row of its own, one shared it.
  const Job given[] = {full, job(30)};
  for (const Job& each : given) {
    core::JobFinish end;
    outcome_columns<core::JobFinish>(fill(end));
    end_columns<core::JobFinish>(fill(end));
    end.row = each.row();
    end.keep = true;
    end.state = State::dead;
    ChangeSet ends;
    ends.finishes.push_back(end);
    commit(std::move(ends));
    auto reader = store_->reader();
    ASSERT_TRUE(reader) << reader.error().message;
    const auto row = (*reader)->job(each.ref, true);
    ASSERT_TRUE(row && *row);
    EXPECT_EQ((*row)->payload_bytes, each.payload.size());
    const auto dead = load<core::DeadLoaded>(core::LoadDead{1, 1, {each.ref}, 1});
    ASSERT_EQ(dead.jobs.size(), 1U);
    for (const Job& got : {(*row)->job, dead.jobs[0]}) {
      given_columns<Job>(compare(got, each));
      EXPECT_EQ(got.state, end.state);
      EXPECT_EQ(got.attempt, end.attempt);
      EXPECT_EQ(got.deaths, end.deaths);
      EXPECT_EQ(got.error, end.error);
    }
    EXPECT_EQ((*row)->reason, end.reason);
    EXPECT_EQ((*row)->started_ms, end.started_ms);
    EXPECT_EQ((*row)->finished_ms, end.finished_ms);
    EXPECT_EQ((*row)->worker, end.worker);
    EXPECT_EQ((*row)->result, end.result);
  }
}

TEST_P(StoreContract, EveryColumnOfATopicAndOfItsCountsComesBack) {
  core::Topic topic;
  setting_columns(fill(topic.settings));
  topic.id = 2;
  topic.name = "other";
  topic.paused = true;
  core::PartitionRow row{{2, 3}, {}};
  count_columns(fill(row.counts));
  for (const bool again : {false, true}) {
    if (again) ++row.counts.live, ++topic.settings.dead_max;
    ChangeSet changes;
    changes.topics.push_back(topic);
    changes.partitions.push_back(row);
    commit(std::move(changes));
    reopen();
    ASSERT_EQ(recovered_.topics.size(), 2U);
    topic_columns(compare(recovered_.topics[1], topic));
    setting_columns(compare(recovered_.topics[1].settings, topic.settings));
    ASSERT_EQ(recovered_.partitions.size(), 2U);
    EXPECT_EQ(recovered_.partitions[1].where, row.where);
    count_columns(compare(recovered_.partitions[1].counts, row.counts));
  }
}

TEST_P(StoreContract, DueJobsComeByTheirTimeAndTheNextIsNamed) {
  ChangeSet changes;
  changes.inserts = {job(1, "a", 300), job(2, "b", 100), job(3, "c", 200), job(4, "d", 900)};
  commit(std::move(changes));
  const auto due = load<core::DueLoaded>(core::LoadDue{{1, 0}, 300, {}, 2, 1U << 20});
  ASSERT_EQ(due.jobs.size(), 2U);
  EXPECT_EQ(due.jobs[0].ref.seq, 2U);
  EXPECT_EQ(due.jobs[1].ref.seq, 3U);
  EXPECT_TRUE(due.more);
  const auto rest = load<core::DueLoaded>(core::LoadDue{{1, 0}, 300, {200, 5, 3}, 9, 1U << 20});
  ASSERT_EQ(rest.jobs.size(), 1U);
  EXPECT_FALSE(rest.more);
  EXPECT_EQ(rest.next_due_ms, 900);
  EXPECT_TRUE(ready().jobs.empty());
}

TEST_P(StoreContract, AFinishedJobIsGoneUnlessItIsKept) {
  commit(inserts(1, 2));
  ChangeSet changes;
  changes.finishes.push_back({.row = {{1, 0, 1}}});
  changes.finishes.push_back({.row = {{1, 0, 2}},
                              .state = State::dead,
                              .reason = core::DeadReason::discarded,
                              .keep = true,
                              .finished_ms = 50,
                              .error = "bad"});
  commit(std::move(changes));
  EXPECT_TRUE(ready().jobs.empty());
  EXPECT_FALSE(load<core::JobLoaded>(core::LoadJob{1, {1, 0, 1}}).finished);
  EXPECT_TRUE(load<core::JobLoaded>(core::LoadJob{1, {1, 0, 2}}).finished);
  const auto dead = load<core::DeadLoaded>(core::LoadDead{1, 1, {}, 10});
  ASSERT_EQ(dead.jobs.size(), 1U);
  EXPECT_EQ(dead.jobs[0].payload.bytes(), "p");
  const auto expired = load<core::ExpiredLoaded>(core::LoadExpired{1, 51, 0, 0, 10});
  EXPECT_EQ(expired.dead, (std::vector<core::RowRef>{{{1, 0, 2}}}));
}

TEST_P(StoreContract, ADeadJobIsRequeuedInOneCommit) {
  commit(inserts(1, 1));
  ChangeSet dies;
  dies.finishes.push_back({.row = {{1, 0, 1}}, .state = State::dead, .keep = true});
  commit(std::move(dies));
  for (const std::vector<core::JobRef>& refs : {std::vector<core::JobRef>(), {{1, 0, 1}}}) {
    const auto dead =
        load<core::DeadLoaded>(core::LoadDead{1, 1, refs, 8});  // the oldest, or named
    ASSERT_EQ(dead.jobs.size(), 1U);
    EXPECT_EQ(dead.jobs[0].payload, job(1).payload);
  }
  ChangeSet back;
  back.finished_dropped.push_back({{1, 0, 1}});
  back.inserts.push_back(job(1));
  commit(std::move(back));
  EXPECT_EQ(ready().jobs.size(), 1U);
  EXPECT_FALSE(load<core::JobLoaded>(core::LoadJob{1, {1, 0, 1}}).finished);
}

TEST_P(StoreContract, ACommitIsAllOrNothingAndAFailedStoreAnswersNothingMore) {
  ChangeSet bad = inserts(1, 3);
  bad.finishes.push_back({.row = {{1, 0, 99}}});
  EXPECT_FALSE(try_commit(std::move(bad)));
  EXPECT_FALSE(try_commit(inserts(10, 1)));
  reopen();
  EXPECT_TRUE(ready().jobs.empty());
}

// A row has one name, ref and priority: whatever names another is a bug of the engine and no
// change.
TEST_P(StoreContract, AChangeThatMissesItsRowFailsTheCommit) {
  const std::function<void(ChangeSet&, core::RowRef)> changes[] = {
      [](ChangeSet& c, core::RowRef row) { c.updates.push_back({.row = row}); },
      [](ChangeSet& c, core::RowRef row) { c.finishes.push_back({.row = row}); },
      [](ChangeSet& c, core::RowRef row) { c.finishes.push_back({.row = row, .keep = true}); },
      [](ChangeSet& c, core::RowRef row) { c.finished_dropped.push_back(row); },
      [](ChangeSet& c, core::RowRef row) { c.leases_dropped.push_back(row); }};
  // Job 1 lives, job 2 is dead, job 3 runs; each is priority 5. Only what the change is of is
  // there.
  const std::uint64_t fits[] = {1, 1, 1, 2, 3};
  const auto prepare = [&] {
    store_.reset();
    remove_folder();
    SetUp();
    ChangeSet made = inserts(1, 3);
    made.leases_put.push_back({.row = {{1, 0, 3}}, .token = 9});
    commit(std::move(made));
    ChangeSet dies;
    dies.finishes.push_back({.row = {{1, 0, 2}}, .state = State::dead, .keep = true});
    commit(std::move(dies));
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    const auto try_one = [&](std::uint64_t seq, std::uint8_t priority) {
      prepare();
      ChangeSet one;
      changes[i](one, {{1, 0, seq}, priority});
      return try_commit(std::move(one)).has_value();
    };
    EXPECT_FALSE(try_one(99, 5)) << i << ": there is no such row";
    EXPECT_FALSE(try_one(fits[i], 4)) << i << ": the row has another priority";
    EXPECT_TRUE(try_one(fits[i], 5)) << i;
  }
}

TEST_P(StoreContract, ASessionThatIsNotThereIsNotDropped) {
  ChangeSet dropped;
  dropped.sessions_dropped.push_back({7});
  EXPECT_FALSE(try_commit(std::move(dropped)));
}

TEST_P(StoreContract, LoadsAnswerWithTheWholeNameOfARow) {
  ChangeSet changes;
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    changes.inserts.push_back(job(seq));
    changes.inserts.back().priority = static_cast<std::uint8_t>(seq);
  }
  changes.leases_put.push_back({.row = {{1, 0, 1}, 1}, .token = 9});
  commit(std::move(changes));
  const core::RowRef lives{{1, 0, 1}, 1}, died{{1, 0, 2}, 2}, done{{1, 0, 3}, 3};
  ChangeSet ends;
  ends.finishes.push_back({.row = died, .state = State::dead, .keep = true, .finished_ms = 10});
  ends.finishes.push_back({.row = done, .keep = true, .finished_ms = 10});
  commit(std::move(ends));
  EXPECT_EQ(load<core::JobLoaded>(core::LoadJob{1, lives.ref}).job->row(), lives);
  const auto dead = load<core::DeadLoaded>(core::LoadDead{1, 1, {died.ref}, 8});
  ASSERT_EQ(dead.jobs.size(), 1U);
  EXPECT_EQ(dead.jobs[0].row(), died);
  const auto expired = load<core::ExpiredLoaded>(core::LoadExpired{1, 11, 11, 0, 10});
  EXPECT_EQ(expired.dead, std::vector{died});
  EXPECT_EQ(expired.others, std::vector{done});
  reopen();
  ASSERT_EQ(recovered_.leases.size(), 1U);
  EXPECT_EQ(recovered_.leases[0].lease.row, lives);
}

TEST_P(StoreContract, AllThatAnEngineNeedsSurvivesAndTheEpochRises) {
  const auto epoch = store_->epoch();
  ChangeSet changes = inserts(1, 1);
  changes.sessions_put.push_back({{7}, "worker", 3});
  changes.producers_put.push_back({{8}, 2, 3, 1, {{4, {1, 0}, 5, 6}}});
  changes.leases_put.push_back({{{1, 0, 1}}, {7}, (1ULL << 63U) + 9, 11});
  changes.partitions.push_back({{1, 0}, {.next_seq = 2, .live = 1, .enqueued = 1}});
  commit(std::move(changes));
  reopen();
  EXPECT_GT(store_->epoch(), epoch);
  ASSERT_EQ(recovered_.topics.size(), 1U);
  ASSERT_EQ(recovered_.partitions.size(), 1U);
  EXPECT_EQ(recovered_.partitions[0].counts.next_seq, 2U);
  ASSERT_EQ(recovered_.sessions.size(), 1U);
  EXPECT_EQ(recovered_.sessions[0].name, "worker");
  EXPECT_EQ(recovered_.sessions[0].epoch, 3U);
  ASSERT_EQ(recovered_.producers.size(), 1U);
  EXPECT_EQ(recovered_.producers[0].answered, 1U);
  EXPECT_EQ(recovered_.producers[0].answers.at(0).first_seq, 5U);
  ASSERT_EQ(recovered_.leases.size(), 1U);
  EXPECT_EQ(recovered_.leases[0].lease.token, (1ULL << 63U) + 9);
  EXPECT_EQ(recovered_.leases[0].job.ref.seq, 1U);
}

TEST_P(StoreContract, AReaderSeesRowsAsPeopleDo) {
  ChangeSet changes = inserts(1, 2);
  changes.inserts.push_back(job(3, "later", 5'000));
  commit(std::move(changes));
  auto reader = store_->reader();
  ASSERT_TRUE(reader) << reader.error().message;
  const auto one = (*reader)->job({1, 0, 2}, true);
  ASSERT_TRUE(one && *one);
  EXPECT_EQ((*one)->job.payload.bytes(), "p");
  EXPECT_FALSE(*(*reader)->job({1, 0, 77}, true));
  ListFilter filter;
  filter.topic = 1;
  filter.now_wall_ms = 4'000;
  filter.state = State::scheduled;
  EXPECT_EQ((*reader)->list(filter)->size(), 1U);
  filter.now_wall_ms = 6'000;
  filter.state = State::available;
  EXPECT_EQ((*reader)->list(filter)->size(), 3U);
  filter.after = JobRef{1, 0, 1};
  EXPECT_EQ((*reader)->list(filter)->size(), 2U);
  EXPECT_EQ(*(*reader)->check([] { return false; }), "ok");
}

// Whether a store answers in the call or later: commits in their order, loads in theirs, and a load
// shows what was answered before it was asked.
TEST_P(StoreContract, AnswersComeInTheOrderOfTheCalls) {
  std::vector<int> commits, loads;
  for (int i = 0; i < 4; ++i) {
    store_->commit(inserts(static_cast<std::uint64_t>(i) + 1, 1), [&, i](auto answer) {
      EXPECT_TRUE(answer);
      commits.push_back(i);
      const JobRef ref{1, 0, static_cast<std::uint64_t>(i) + 1};
      store_->load(core::LoadJob{1, ref}, [&, i](auto loaded) {
        EXPECT_TRUE(loaded && std::get<core::JobLoaded>(*loaded).job);
        loads.push_back(i);
      });
    });
  }
  let_answer();
  EXPECT_EQ(commits, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(loads, (std::vector<int>{0, 1, 2, 3}));
}

TEST_P(StoreContract, AfterACommitThatFailedTheOnesUnderWayFailToo) {
  std::vector<bool> stored;
  const auto answered = [&](auto answer) { stored.push_back(answer.has_value()); };
  ChangeSet bad = inserts(2, 1);
  bad.finishes.push_back({.row = {{1, 0, 99}}});
  store_->commit(inserts(1, 1), answered);
  store_->commit(std::move(bad), answered);
  store_->commit(inserts(3, 1), answered);
  let_answer();
  EXPECT_EQ(stored, (std::vector<bool>{true, false, false}));
  reopen();
  EXPECT_EQ(ready().jobs.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract,
                         ::testing::Values(Factory{"sqlite",
                                                   [](const std::string& path) {
                                                     return open_sqlite({.path = path});
                                                   }},
                                           Factory{"late_in_memory", open_late_in_memory}),
                         [](const auto& store) { return std::string(store.param.name); });

}  // namespace
}  // namespace millrace::storage
