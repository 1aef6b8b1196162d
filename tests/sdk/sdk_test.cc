// Producer, Worker and Client of one process with a real broker, from many threads at once: the
// contracts of the public headers, and concurrency for the sanitizers to check.
#include "broker_process.h"
#include "event_log.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

ConnectionOptions at(const BrokerProcess& broker) { return {.brokers = {broker.endpoint()}}; }

std::string tag(const char* of, int number) { return of + std::to_string(number); }

// Each way to hand a job over, from a thread of its own; a stored job's id is written down.
class Senders {
 public:
  Senders(Producer& producer, int jobs_each) : producer_(producer), jobs_each_(jobs_each) {
    threads_.emplace_back([this] { each_alone(); });
    threads_.emplace_back([this] { all_at_once(); });
    threads_.emplace_back([this] { unwaited(); });
    threads_.emplace_back([this] { tried(); });
  }
  void join() {
    for (auto& thread : threads_) thread.join();
    EXPECT_TRUE(producer_.flush(patience));
  }
  [[nodiscard]] std::size_t jobs() const { return threads_.size() * std::size_t(jobs_each_); }
  EventLog ids;

 private:
  static Job job(const std::string& payload) { return {.topic = "work", .payload = payload}; }
  void answered(const Enqueued& outcome) {
    EXPECT_EQ(outcome.outcome, Outcome::stored) << outcome.error.message;
    ids.add(outcome.id.str());
  }
  void each_alone() {
    for (int i = 0; i < jobs_each_; ++i) answered(producer_.enqueue(job(tag("alone", i))));
  }
  void all_at_once() {
    std::vector<Job> jobs;
    jobs.reserve(std::size_t(jobs_each_));
    for (int i = 0; i < jobs_each_; ++i) jobs.push_back(job(tag("all", i)));
    for (const auto& outcome : producer_.enqueue_all(std::move(jobs))) answered(outcome);
  }
  void unwaited() {
    for (int i = 0; i < jobs_each_; ++i) {
      producer_.enqueue_async(job(tag("async", i)), [this](const Enqueued& o) { answered(o); });
    }
  }
  void tried() {
    for (int i = 0; i < jobs_each_; ++i) {
      const auto done = [this](const Enqueued& o) { answered(o); };
      while (!producer_.try_enqueue_async(job(tag("tried", i)), done)) std::this_thread::yield();
    }
  }

  Producer& producer_;
  int jobs_each_;
  std::vector<std::thread> threads_;
};

TEST(Sdk, JobsOfManyThreadsAreEachStoredOnceAndDoneWhateverTheHandlerSaysFirst) {
  constexpr int jobs_each = 200;
  BrokerProcess broker;
  Client client({.connection = at(broker)});
  ASSERT_TRUE(client.create_topic("work", {.backoff_min = 1ms, .backoff_max = 1ms}));
  EventLog runs, done_once;
  Worker worker({.connection = at(broker), .concurrency = 4, .prefetch = 16});
  worker.handle("work", [&](JobContext& job) {
    const std::string name(job.payload());
    const int run = runs.add(name);
    job.progress(run, name);
    if (run == 1 && name == "alone1") throw std::runtime_error("once");
    if (run == 1 && name.ends_with("7")) return retry("again");
    if (run == 1 && name.ends_with("3")) return release();
    done_once.add(name);
    return name == "all2" ? discard("never") : done(name);
  });
  worker.start();

  // Small bounds, so that threads wait for room.
  Producer producer({.connection = at(broker), .in_flight_jobs_max = 64, .batch_jobs_max = 16});
  Senders senders(producer, jobs_each);
  std::atomic<bool> enough{false};
  std::thread asking([&] {
    while (!enough) {
      EXPECT_TRUE(client.topics());
      EXPECT_TRUE(client.status());
      EXPECT_TRUE(client.sessions());
      EXPECT_LE(worker.counts().running, 4U);
      EXPECT_GT(worker.last_alive().time_since_epoch().count(), 0);
      (void)producer.connected();
    }
  });
  senders.join();
  EXPECT_TRUE(done_once.wait_for_kinds(senders.jobs()));
  enough = true;
  asking.join();

  EXPECT_EQ(senders.ids.kinds(), senders.jobs());
  EXPECT_TRUE(worker.stop());
  const auto counts = worker.counts();
  EXPECT_EQ(counts.completed, senders.jobs() - 1);
  EXPECT_EQ(counts.discarded, 1U);
  EXPECT_EQ(counts.lost, 0U);
  EXPECT_EQ(counts.running, 0U);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Sdk, ABrokerKilledUnderLoadLosesNoStoredJobAndMakesNoSecond) {
  constexpr int jobs = 2'000;
  BrokerProcess broker;
  EventLog ids, completed;
  Worker worker({.connection = at(broker), .concurrency = 4, .prefetch = 64});
  worker.handle("work", [&](JobContext& job) {
    completed.add(std::string(job.payload()));
    return done();
  });
  worker.start();
  Producer producer({.connection = at(broker), .in_flight_jobs_max = 200, .batch_jobs_max = 32});
  std::thread producing([&] {
    for (int i = 0; i < jobs; ++i) {
      producer.enqueue_async({.topic = "work", .payload = tag("j", i)}, [&](const Enqueued& o) {
        EXPECT_EQ(o.outcome, Outcome::stored) << o.error.message;
        ids.add(o.id.str());
      });
    }
  });
  for (const std::size_t at_least : {300U, 900U}) {
    EXPECT_TRUE(completed.wait_for_kinds(at_least));
    broker.kill();
    broker.start();
  }
  producing.join();
  EXPECT_TRUE(producer.flush(patience));
  EXPECT_EQ(ids.kinds(), std::size_t(jobs));
  EXPECT_TRUE(completed.wait_for_kinds(jobs));
  EXPECT_TRUE(worker.stop());
  Client client({.connection = at(broker)});
  const auto topics = client.topics("work");
  ASSERT_TRUE(topics && topics->size() == 1);
  EXPECT_EQ(topics->front().available + topics->front().running + topics->front().dead, 0U);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Sdk, AHandlerHearsWhyItShallStop) {
  BrokerProcess broker;
  Client client({.connection = at(broker)});
  ASSERT_TRUE(client.create_topic("limited", {.run_max = 50ms}));
  EventLog begun, heard;
  const auto until_stopped = [&](JobContext& job) {
    begun.add(std::string(job.payload()));
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait(lock, job.stop(), [] { return false; });
    heard.add(std::string(job.payload()) + " " + std::string(to_string(job.stop_reason())));
    return release();
  };
  Worker worker({.connection = at(broker), .concurrency = 3, .prefetch = 2, .drain = 10ms});
  worker.handle("work", until_stopped);
  worker.handle("limited", [&](JobContext& job) {
    (void)until_stopped(job);
    return discard("too long");
  });
  worker.start();
  Producer producer({.connection = at(broker)});
  const auto enqueue = [&](const char* topic, const char* payload) {
    auto outcome = producer.enqueue({.topic = topic, .payload = payload});
    EXPECT_EQ(outcome.outcome, Outcome::stored) << outcome.error.message;
    EXPECT_TRUE(begun.wait_for(payload, 1));
    return outcome.id;
  };
  const JobId cancelled = enqueue("work", "cancelled");
  EXPECT_TRUE(client.cancel(cancelled));
  EXPECT_TRUE(heard.wait_for("cancelled cancelled", 1));
  enqueue("limited", "limited");
  EXPECT_TRUE(heard.wait_for("limited run_time_limit", 1));
  const JobId left = enqueue("work", "left");
  EXPECT_TRUE(worker.stop());
  EXPECT_EQ(heard.count("left draining"), 1);
  const auto view = client.job(left);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->state, State::available);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Sdk, EveryCallbackIsCalledOnceWhenAProducerEndsEarly) {
  BrokerProcess broker;
  EventLog said;
  {
    Producer producer({.connection = at(broker), .batch_jobs_max = 8, .flush_at_destruction = 0ms});
    EXPECT_EQ(producer.enqueue({.topic = "work", .payload = "first"}).outcome, Outcome::stored);
    broker.kill();
    for (int i = 0; i < 300; ++i) {
      producer.enqueue_async({.topic = "work", .payload = "x"}, [&said](const Enqueued& o) {
        said.add(o.outcome == Outcome::stored ? "stored" : "not stored");
      });
    }
    producer.enqueue_async({.topic = "no topic!", .payload = "x"}, [&said](const Enqueued& o) {
      said.add(o.error.code == ErrorCode::invalid ? "invalid" : "wrong");
    });
  }
  // So early that the link has not seen the job yet.
  constexpr int early = 50;
  for (int i = 0; i < early; ++i) {
    Producer producer({.connection = at(broker), .flush_at_destruction = 0ms});
    producer.enqueue_async({.topic = "work", .payload = "x"}, [&said](const Enqueued& o) {
      said.add(o.outcome == Outcome::stored ? "stored" : "not stored");
    });
  }
  EXPECT_EQ(said.count("not stored"), 300 + early);
  EXPECT_EQ(said.count("invalid"), 1);
  EXPECT_EQ(said.kinds(), 2U);
}

TEST(Sdk, DeadJobsAreSelectedInOneWayOrRefused) {
  BrokerProcess broker;
  Client client({.connection = at(broker)});
  Producer producer({.connection = at(broker)});
  Worker worker({.connection = at(broker), .concurrency = 1});
  EventLog seen;
  worker.handle("work", [&seen](JobContext&) {
    seen.add("seen");
    return discard("no use");
  });
  worker.start();
  std::vector<JobId> ids;
  for (int i = 0; i < 4; ++i) {
    ids.push_back(producer.enqueue({.topic = "work", .payload = "p"}).id);
    const auto view = client.wait(ids.back(), 20s);
    ASSERT_TRUE(view && view->state == State::dead);
  }
  EXPECT_TRUE(worker.stop());
  const std::pair<DeadSelection, const char*> wrong[] = {
      {{}, "no dead jobs are selected"},
      {{.topic = "work"}, "no dead jobs are selected"},
      {{.topic = "work", .ids = ids, .all = true}, "exclude each other"},
      {{.topic = "work", .limit = 1, .all = true}, "exclude each other"},
      {{.ids = ids, .limit = 1}, "exclude each other"},
      {{.topic = "other", .ids = ids}, "is not a job of topic other"},
      {{.all = true}, "give its name"},
      {{.topic = "no topic!", .limit = 1}, "is not a topic name"},
  };
  for (const auto& [which, words] : wrong) {
    for (const auto& refused : {client.purge_dead(which), client.requeue_dead(which)}) {
      ASSERT_FALSE(refused) << words;
      EXPECT_EQ(refused.error().code, ErrorCode::invalid);
      EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;
    }
  }
  const auto dead = [&client] { return client.topics("work").value().front().dead; };
  EXPECT_EQ(dead(), 4U);
  EXPECT_EQ(client.purge_dead({.ids = {ids[3]}}).value_or(0), 1U);
  EXPECT_EQ(client.purge_dead({.topic = "work", .limit = 1}).value_or(0), 1U);
  EXPECT_EQ(dead(), 2U);
  EXPECT_EQ(client.requeue_dead({.topic = "work", .all = true}).value_or(0), 2U);
  EXPECT_EQ(dead(), 0U);
  EXPECT_EQ(broker.stop(), 0);
}

TEST(Sdk, ClientsOfManyThreadsShareOneConnection) {
  BrokerProcess broker;
  Client client({.connection = at(broker)});
  Producer producer({.connection = at(broker)});
  const auto outcome = producer.enqueue({.topic = "work", .payload = "p", .delay = 1h});
  ASSERT_EQ(outcome.outcome, Outcome::stored) << outcome.error.message;
  std::vector<std::thread> threads(4);
  for (auto& thread : threads) {
    thread = std::thread([&] {
      for (int i = 0; i < 20; ++i) {
        const auto view = client.job(outcome.id);
        EXPECT_TRUE(view && view->state == State::scheduled);
        EXPECT_TRUE(client.explain(outcome.id));
        EXPECT_TRUE(client.jobs({.topic = "work"}));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(client.cancel(outcome.id));
  EXPECT_EQ(broker.stop(), 0);
}

}  // namespace
}  // namespace millrace::testing
