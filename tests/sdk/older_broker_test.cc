// Today's client, producer and worker at a broker of the version before: what it answered, as bytes
// (answers-of-0.1.json).
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <fstream>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

struct Recorded {
  wire::Verb verb = wire::Verb::ok;
  std::string body;
};

std::map<std::string, Recorded> recorded_answers() {
  std::ifstream file(MILLRACE_OLDER_ANSWERS);
  const auto recorded = nlohmann::json::parse(file);
  std::map<std::string, Recorded> all;
  for (const auto& answer : recorded["answers"]) {
    const std::string hex = answer["body"];
    Recorded& one = all[answer["name"]];
    one.verb = static_cast<wire::Verb>(answer["verb"].get<int>());
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      one.body += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
  }
  return all;
}

class OlderBroker : public ::testing::Test {
 protected:
  void answer(wire::Verb asked, const std::string& name) {
    (void)broker.expect(asked);
    broker.answer_bytes(recorded.at(name).verb, recorded.at(name).body);
  }
  void answer_topology() {
    const std::string body = broker.expect(wire::Verb::topology);
    wire::TopologyOk told{.shards = {{broker.endpoint}}, .default_partitions = {0}};
    const auto asked = wire::decode<wire::Topology>(body).value();
    for (const auto topic : asked.topics) {
      told.topics.emplace_back(topic, std::vector<std::uint64_t>{0});
    }
    broker.answer(told);
  }
  // What a call says of the answer of that name.
  template <typename Call>
  auto said(Call call, wire::Verb asked, const std::string& name) {
    auto told = std::async(std::launch::async, call);
    answer(asked, name);
    return told.get();
  }

  const std::map<std::string, Recorded> recorded = recorded_answers();
  ScriptedBroker broker;
  const ConnectionOptions at{.brokers = {broker.endpoint}, .log = [](auto, auto) {}};
};

TEST_F(OlderBroker, IsUnderstoodByAClient) {
  using wire::Verb;
  Client client({.connection = at, .timeout = 60s});
  const JobId id{"t", 0, 1};
  auto first = std::async(std::launch::async, [&] { return client.job(id); });
  answer(Verb::hello, "hello");
  answer_topology();  // of no topic, then of the job's
  answer_topology();
  answer(Verb::job, "job");
  const auto running = first.get();
  ASSERT_TRUE(running) << running.error().message;
  EXPECT_EQ(running->state, State::running);
  EXPECT_EQ(running->payload, "hello");
  EXPECT_TRUE(running->headers.empty());  // it did not tell them

  const auto why = said([&] { return client.explain(id); }, Verb::explain, "explain");
  EXPECT_EQ(why.value_or(Explanation{}).reason, "running");
  const auto page =
      said([&] { return client.jobs({.topic = "t", .limit = 1}); }, Verb::jobs, "jobs");
  ASSERT_TRUE(page && page->jobs.size() == 1);
  EXPECT_EQ(page->jobs.front().dead_reason, "discarded");
  const auto waited = said([&] { return client.wait(id, 1ms); }, Verb::wait, "wait");
  EXPECT_EQ(waited.value_or(JobView{}).state, State::cancelled);
  const auto topics = said([&] { return client.topics("t"); }, Verb::topics, "topics");
  ASSERT_TRUE(topics && topics->size() == 1);
  EXPECT_EQ(topics->front().max_attempts, 25);
  const auto sessions = said([&] { return client.sessions(); }, Verb::sessions, "sessions");
  ASSERT_TRUE(sessions && sessions->size() == 1);
  const auto status = said([&] { return client.status(); }, Verb::status, "status");
  ASSERT_TRUE(status && status->size() == 1);
  EXPECT_EQ(status->front().version, "0.1.0");
}

TEST_F(OlderBroker, DoesWhatAClientAsksForAndSaysWhatItCannot) {
  using wire::Verb;
  Client client({.connection = at, .timeout = 60s});
  auto first = std::async(std::launch::async, [&] { return client.create_topic("u", {}); });
  answer(Verb::hello, "hello");
  answer_topology();
  answer(Verb::topic_create, "topic_create");
  EXPECT_TRUE(first.get().value_or(false));
  EXPECT_TRUE(said([&] { return client.resume("t"); }, Verb::resume, "pause").value_or(false));
  const JobId id{"t", 0, 1};
  auto cancelled = std::async(std::launch::async, [&] { return client.cancel(id); });
  answer_topology();
  answer(Verb::cancel, "cancel");
  EXPECT_EQ(cancelled.get().value_or(State::dead), State::cancelled);
  const auto requeue = [&] { return client.requeue_dead({.topic = "t", .ids = {id}}); };
  EXPECT_EQ(said(requeue, Verb::dead_requeue, "dead_requeue").value_or(0), 1U);
  const auto purge = [&] { return client.purge_dead({.topic = "t", .limit = 1}); };
  EXPECT_EQ(said(purge, Verb::dead_purge, "dead_purge").value_or(9), 0U);
  const auto begun = said([&] { return client.backup("b-1"); }, Verb::backup, "backup");
  EXPECT_EQ(begun.value_or(BackupView{}).state, BackupState::running);
  const auto backup = [&] { return client.backup_status(); };
  const auto made = said(backup, Verb::backup_status, "backup_status");
  EXPECT_EQ(made.value_or(BackupView{}).state, BackupState::done);

  const auto missing = [&] { return client.cancel({"t", 0, 999}); };
  const auto none = said(missing, Verb::cancel, "cancel of a job that is not there");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::not_found);
  // As it will say to a verb of tomorrow.
  const auto unknown = said(backup, Verb::backup_status, "a verb that it does not know");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::unknown_verb);
  EXPECT_EQ(unknown.error().message, "verb 120 is not one of this broker's");
}

TEST_F(OlderBroker, StoresTheJobsOfAProducerAndGivesThemToAWorker) {
  using wire::Verb;
  {
    Producer producer({.connection = at});
    auto stored = std::async(std::launch::async, [&] {
      return producer.enqueue({.topic = "t", .key = "k", .headers = {{"h", "v"}}});
    });
    answer(Verb::hello, "hello");
    answer_topology();
    answer_topology();
    answer(Verb::enqueue, "enqueue");
    EXPECT_EQ(stored.get().id, (JobId{"t", 0, 1}));
  }
  Worker worker({.connection = at, .concurrency = 1});
  worker.handle("t", [](JobContext& job) {
    EXPECT_EQ(job.payload(), "hello");
    EXPECT_EQ(job.headers().at("h"), "v");
    return done();
  });
  ASSERT_TRUE(worker.start());
  answer(Verb::hello, "hello");
  answer_topology();
  answer(Verb::subscribe, "subscribe");
  broker.tell_bytes(recorded.at("deliver").verb, recorded.at("deliver").body);
  answer(Verb::settle, "settle");
  std::thread stopping([&worker] { EXPECT_TRUE(worker.stop()); });
  broker.farewell_worker();
  stopping.join();
  EXPECT_EQ(worker.counts().completed, 1U);
}

}  // namespace
}  // namespace millrace::testing
