// A shard whose clients have keys: what each sees and can do, clients that lie, and keys that
// change while their connections are open.
#include "keyed_shard.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace millrace::runtime {
namespace {

using access::Role;
using wire::Verb;
using Strings = std::vector<std::string>;

class KeysOfAShard : public KeyedShard {
 protected:
  // A worker for mail.* that holds a job of mail.in.
  struct Held {
    std::string job;
    std::uint64_t token = 0;
  };
  Held worker_with_a_job() {
    key("w", {Role::work, Role::produce}, {"mail.*"});
    EXPECT_EQ(hello(worker_, wire::Role::worker, 1).code(), "");
    EXPECT_EQ(subscribe(worker_, {"mail.in"}, 5).code(), "");
    EXPECT_EQ(enqueue(worker_, "mail.in").code(), "");
    const auto jobs = deliveries(worker_);
    EXPECT_EQ(jobs.size(), 1U);
    return jobs.empty() ? Held{} : Held{jobs[0].first, jobs[0].second};
  }
  Strings stale(const Connection& from, std::uint64_t token) {
    wire::Settle settle;
    settle.outcomes.push_back({.token = token});
    const Said said = ask(from, Verb::settle, wire::encode(settle));
    if (!said.code().empty()) return {said.code()};
    const auto answer = wire::decode<wire::SettleOk>(said.body);
    return answer && answer->stale.empty() ? Strings{} : Strings{"stale"};
  }
  std::uint64_t stored(const std::string& topic) {
    for (const auto& stats : shard_->engine().topics(now_)) {
      if (stats.topic.name == topic) return stats.enqueued;
    }
    return 0;
  }
  Said jobs_of(const Connection& from, wire::Jobs asked) {
    return ask(from, Verb::jobs, wire::encode(asked));
  }

  const Connection local_ = connection(1), worker_ = connection(2, "w"), liar_ = connection(3, "x"),
                   next_ = connection(4, "w");
};

TEST_F(KeysOfAShard, ListsShowOnlyTheTopicsOfTheKey) {
  EXPECT_EQ(hello(local_, wire::Role::worker, 9).code(), "");
  EXPECT_EQ(subscribe(local_, {"fax"}, 0).code(), "");
  for (const char* topic : {"fax", "mail.in", "mail.out", "fax"}) {
    EXPECT_EQ(enqueue(local_, topic).code(), "");
  }
  const Connection one = connection(5, "one");
  key("one", {Role::look}, {"mail.*"});
  EXPECT_EQ(hello(one, wire::Role::client, 5).code(), "");

  const auto topics_said = ask(one, Verb::topics, wire::encode(wire::TopicName{}));
  const auto topics = wire::decode<wire::TopicsOk>(topics_said.body);
  ASSERT_TRUE(topics);
  Strings names;
  for (const auto& view : topics->topics) names.emplace_back(view.topic);
  EXPECT_EQ(names, (Strings{"mail.in", "mail.out"}));

  const auto topology_said = ask(one, Verb::topology, wire::encode(wire::Topology{}));
  const auto topology = wire::decode<wire::TopologyOk>(topology_said.body);
  ASSERT_TRUE(topology);
  EXPECT_EQ(topology->topics.size(), 2U);
  EXPECT_EQ(topology->shards[0][0], "tcp://broker.example:7300");

  const auto sessions_said = ask(one, Verb::sessions, wire::encode(wire::Empty{}));
  EXPECT_TRUE(wire::decode<wire::SessionsOk>(sessions_said.body)->sessions.empty());

  const auto jobs_said = jobs_of(one, {});
  const auto jobs = wire::decode<wire::JobsOk>(jobs_said.body);
  ASSERT_TRUE(jobs);
  names.clear();
  for (const auto& view : jobs->jobs) names.emplace_back(view.job.topic);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (Strings{"mail.in", "mail.out"}));

  // A client without a key, and a key for every topic, see all.
  const Connection all = connection(6, "all");
  key("all", {Role::look}, {"*"});
  EXPECT_EQ(hello(all, wire::Role::client, 6).code(), "");
  for (const Connection& who : {local_, all}) {
    const auto said = jobs_of(who, {});
    EXPECT_EQ(wire::decode<wire::JobsOk>(said.body)->jobs.size(), 4U);
    const auto sessions = ask(who, Verb::sessions, wire::encode(wire::Empty{}));
    EXPECT_EQ(wire::decode<wire::SessionsOk>(sessions.body)->sessions.size(), 1U);
  }
}

TEST_F(KeysOfAShard, ATopicWithoutAccessIsAnsweredAsOneThatDoesNotExist) {
  EXPECT_EQ(hello(local_, wire::Role::client, 9).code(), "");
  EXPECT_EQ(enqueue(local_, "fax").code(), "");
  const Connection one = connection(5, "one");
  key("one", {Role::admin}, {"mail.*"});
  EXPECT_EQ(hello(one, wire::Role::worker, 5).code(), "");
  const auto answers = [&](std::string_view topic) {
    wire::DeadSelect dead{topic, {{topic, 0, 1}}, {}, {}};
    wire::Jobs after;
    after.after = wire::JobRef{topic, 0, 1};
    wire::Enqueue jobs;
    jobs.topic = topic;
    jobs.jobs.resize(1);
    const std::vector<std::pair<Verb, std::string>> asked{
        {Verb::topology, wire::encode(wire::Topology{{topic, "mail.in"}})},
        {Verb::topics, wire::encode(wire::TopicName{topic, {}})},
        {Verb::enqueue, wire::encode(jobs)},
        {Verb::subscribe, wire::encode(wire::Subscribe{{"mail.in", topic}, 1})},
        {Verb::topic_create, wire::encode(wire::TopicCreate{topic})},
        {Verb::pause, wire::encode(wire::TopicName{topic, {}})},
        {Verb::resume, wire::encode(wire::TopicName{topic, {}})},
        {Verb::job, wire::encode(wire::JobName{{topic, 0, 1}, {}})},
        {Verb::explain, wire::encode(wire::JobName{{topic, 0, 1}, {}})},
        {Verb::cancel, wire::encode(wire::JobName{{topic, 0, 1}, {}})},
        {Verb::wait, wire::encode(wire::Wait{{topic, 0, 1}, 1'000})},
        {Verb::jobs, wire::encode(wire::Jobs{topic, {}, 50, {}})},
        {Verb::jobs, wire::encode(after)},
        {Verb::dead_requeue, wire::encode(dead)},
        {Verb::dead_purge, wire::encode(dead)}};
    std::string all;
    for (const auto& [verb, body] : asked) {
      const Said said = ask(one, verb, body);
      all += std::to_string(static_cast<unsigned>(said.verb)) + " " + said.body + "\n";
    }
    return all;
  };
  const std::string hidden = answers("fax");
  std::string none = answers("fox");
  for (auto at = none.find("fox"); at != std::string::npos; at = none.find("fox", at)) {
    none.replace(at, 3, "fax");
  }
  EXPECT_EQ(hidden, none);
  EXPECT_EQ(stored("fax"), 1U);
  EXPECT_TRUE(deliveries(one).empty());
}

TEST_F(KeysOfAShard, ASessionThatIsSeenIsNotTakenOverByAnotherKey) {
  const Held held = worker_with_a_job();
  key("x", {Role::admin}, {"*"});
  EXPECT_EQ(hello(liar_, wire::Role::client, 7).code(), "");
  const auto said = ask(liar_, Verb::sessions, wire::encode(wire::Empty{}));
  const auto sessions = wire::decode<wire::SessionsOk>(said.body);
  ASSERT_EQ(sessions->sessions.size(), 1U);
  const wire::Id seen = sessions->sessions[0].session;
  EXPECT_NE(seen, id(1));  // not even the id that the other has sent

  for (const wire::Id& session : {seen, id(1)}) {
    wire::Hello lie;
    lie.role = wire::Role::worker;
    lie.session = session;
    lie.name = "w";
    lie.held = {{wire::JobRef{"mail.in", 0, 1}, held.token}};
    const auto answer = ask(liar_, Verb::hello, wire::encode(lie));
    EXPECT_EQ(wire::decode<wire::HelloOk>(answer.body)->lost, std::vector{held.token});
    EXPECT_EQ(stale(liar_, held.token), Strings{"stale"});
    EXPECT_TRUE(deliveries(liar_).empty());
  }
  EXPECT_EQ(stale(worker_, held.token), Strings{});
}

TEST_F(KeysOfAShard, TheBatchOfAnotherKeyIsNeitherAnsweredNorBlocked) {
  key("a", {Role::produce}, {"mail.*"});
  key("x", {Role::produce}, {"mail.*"});
  const Connection first = connection(5, "a");
  EXPECT_EQ(hello(first, wire::Role::producer, 1).code(), "");
  EXPECT_EQ(hello(liar_, wire::Role::producer, 1).code(), "");
  const auto answer = [&](const Connection& from, std::uint64_t batch) {
    const Said said = enqueue(from, "mail.in", 3, batch);
    const auto ok = wire::decode<wire::EnqueueOk>(said.body);
    EXPECT_EQ(said.code(), "");
    return std::pair(ok->first_seq, ok->duplicate);
  };
  EXPECT_EQ(answer(first, 1), std::pair(std::uint64_t{1}, false));
  EXPECT_EQ(answer(liar_, 1), std::pair(std::uint64_t{2}, false));
  EXPECT_EQ(answer(liar_, 60), std::pair(std::uint64_t{3}, false));
  EXPECT_EQ(answer(first, 2), std::pair(std::uint64_t{4}, false));
  EXPECT_EQ(answer(first, 1), std::pair(std::uint64_t{1}, true));
}

TEST_F(KeysOfAShard, ARequestOfAnotherKeyIsAnotherRequest) {
  key("a", {Role::operate}, {"*"});
  key("x", {Role::operate}, {"*"});
  const Connection first = connection(5, "a");
  EXPECT_EQ(hello(first, wire::Role::client, 1).code(), "");
  EXPECT_EQ(hello(liar_, wire::Role::client, 1).code(), "");
  const auto changed = [&](const Connection& from) {
    const auto said = ask(from, Verb::pause, wire::encode(wire::TopicName{"fax", id(8)}));
    return wire::decode<wire::Flag>(said.body)->value;
  };
  EXPECT_TRUE(changed(first));
  EXPECT_FALSE(changed(liar_));  // done again: it is paused already
  EXPECT_TRUE(changed(first));   // a copy
}

TEST_F(KeysOfAShard, AKeyThatEndsLosesItsSessionAndIsToldWhy) {
  const auto job_runs = [&] {
    for (const auto& stats : shard_->engine().topics(now_)) {
      if (stats.topic.name == "mail.in") return stats.running;
    }
    return std::uint64_t{99};
  };
  enum class End { revoked, expired, removed };
  for (const End end : {End::revoked, End::expired, End::removed}) {
    (void)worker_with_a_job();
    EXPECT_EQ(job_runs(), 1U);
    access::Key ended = *ring_->table()->by_name.at("w");
    if (end == End::revoked) ended.revoked_ms = now_.wall_ms;
    if (end == End::expired) ended.expires_ms = now_.wall_ms / 1'000 * 1'000 + 1'000;
    end == End::removed ? remove("w") : put(ended);
    if (end == End::expired) {
      tick(1);
      EXPECT_EQ(job_runs(), 1U);
      now_.wall_ms = ended.expires_ms;
    }
    tick();
    EXPECT_EQ(job_runs(), 0U);
    const Said said = enqueue(worker_, "mail.in");
    EXPECT_EQ(said.code(), "unauthorized");
    const std::string why = end == End::revoked   ? "the key w was revoked at "
                            : end == End::expired ? "the key w expired at "
                                                  : "this key was removed from the broker";
    EXPECT_EQ(said.message().rfind(why, 0), 0U) << said.message();
    EXPECT_EQ(hello(worker_, wire::Role::worker, 1).code(), "unauthorized");
    // Its job is for others, and no attempt was counted.
    EXPECT_EQ(hello(local_, wire::Role::worker, 9).code(), "");
    EXPECT_EQ(subscribe(local_, {"mail.in"}, 5).code(), "");
    const auto jobs = deliveries(local_);
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_EQ(stale(local_, jobs[0].second), Strings{});
    EXPECT_EQ(ask(local_, Verb::goodbye, wire::encode(wire::Empty{})).code(), "");
  }
}

TEST_F(KeysOfAShard, AWorkerWhoseRightsChangeHasToSubscribeAgain) {
  const Held held = worker_with_a_job();
  access::Key narrowed = *ring_->table()->by_name.at("w");
  narrowed.topics = {"mail.out"};
  put(narrowed);
  tick();
  EXPECT_EQ(hello(local_, wire::Role::client, 9).code(), "");
  EXPECT_EQ(enqueue(local_, "mail.in").code(), "");
  EXPECT_TRUE(deliveries(worker_).empty());
  EXPECT_EQ(stale(worker_, held.token), Strings{"no_session"});
  wire::HelloOk told;
  const Said again =
      hello(worker_, wire::Role::worker, 1, {{wire::JobRef{"mail.in", 0, 1}, held.token}});
  EXPECT_EQ(wire::decode<wire::HelloOk>(again.body)->lost, std::vector{held.token});
  EXPECT_EQ(subscribe(worker_, {"mail.in"}, 5).code(), "forbidden");
  EXPECT_EQ(subscribe(worker_, {"mail.out"}, 5).code(), "");
  EXPECT_EQ(stale(worker_, held.token), Strings{"stale"});
}

// The HELLO may come before the next tick looks at the keys.
TEST_F(KeysOfAShard, AHelloWithOtherRightsGivesBackWhatTheyDoNotCover) {
  const Held held = worker_with_a_job();
  access::Key narrowed = *ring_->table()->by_name.at("w");
  narrowed.topics = {"mail.out"};
  put(narrowed);
  const Said again =
      hello(worker_, wire::Role::worker, 1, {{wire::JobRef{"mail.in", 0, 1}, held.token}});
  EXPECT_EQ(wire::decode<wire::HelloOk>(again.body)->lost, std::vector{held.token});
  EXPECT_EQ(stale(worker_, held.token), Strings{"stale"});
}

TEST_F(KeysOfAShard, AChangeThatIsNoneOfRightsDisturbsNobody) {
  const Held held = worker_with_a_job();
  access::Key same = *ring_->table()->by_name.at("w");
  same.comment = "other words";
  put(same);
  key("another", {Role::look}, {"*"});
  tick();
  EXPECT_EQ(stale(worker_, held.token), Strings{});
}

TEST_F(KeysOfAShard, WhatAKeyWaitsForEndsWithItsRights) {
  key("x", {Role::look}, {"*"});
  EXPECT_EQ(hello(local_, wire::Role::client, 9).code(), "");
  EXPECT_EQ(enqueue(local_, "fax").code(), "");
  EXPECT_EQ(hello(liar_, wire::Role::client, 1).code(), "");
  EXPECT_TRUE(send_as(liar_, Verb::wait, wire::encode(wire::Wait{{"fax", 0, 1}, 60'000})).empty());
  access::Key narrowed = *ring_->table()->by_name.at("x");
  narrowed.topics = {"mail.*"};
  put(narrowed);
  tick();
  EXPECT_EQ(ask(local_, Verb::cancel, wire::encode(wire::JobName{{"fax", 0, 1}, {}})).code(), "");
  ASSERT_EQ(said_[liar_.peer].size(), 1U);
  EXPECT_EQ(said_[liar_.peer][0].code(), "no_session");
}

// A restart makes the broker believe claims of workers that it knows: of their own topics alone.
TEST_F(KeysOfAShard, AClaimAfterARestartNeedsTheTopic) {
  const Held held = worker_with_a_job();
  EXPECT_EQ(hello(local_, wire::Role::client, 9).code(), "");
  EXPECT_EQ(enqueue(local_, "fax").code(), "");
  restart();
  const std::uint64_t forged = held.token + 1;
  const Said said =
      hello(worker_, wire::Role::worker, 1,
            {{wire::JobRef{"mail.in", 0, 1}, held.token}, {wire::JobRef{"fax", 0, 1}, forged}});
  EXPECT_EQ(wire::decode<wire::HelloOk>(said.body)->lost, std::vector{forged});
  EXPECT_EQ(stale(worker_, forged), Strings{"stale"});
  EXPECT_EQ(stale(worker_, held.token), Strings{});
}

TEST_F(KeysOfAShard, ARoutingIdIsOfTheBrokerAndAnotherKeyWithItIsAnotherClient) {
  const Held held = worker_with_a_job();
  key("x", {Role::admin}, {"*"});
  for (const std::string& chosen : {std::string("w"), std::string("\0", 1), std::string(),
                                    std::string("abcde"), std::string("\0abcdefg", 8)}) {
    EXPECT_EQ(hello({chosen, "x"}, wire::Role::worker, 1).code(), "invalid") << chosen;
    EXPECT_EQ(hello({chosen, ""}, wire::Role::worker, 1).code(), "invalid") << chosen;
  }
  const Connection same{worker_.peer, "x"};
  EXPECT_EQ(stale(same, held.token), Strings{"no_session"});
  EXPECT_EQ(stale(worker_, held.token), Strings{});
}

TEST_F(KeysOfAShard, AboveItsQuotaNothingIsStoredAndOthersAreNotHeldUp) {
  access::Key few = key("few", {Role::produce}, {"mail.*"});
  few.quota.enqueues_per_second = 10;
  put(few);
  key("a", {Role::produce}, {"mail.*"});
  const Connection flood = connection(5, "few"), other = connection(6, "a");
  EXPECT_EQ(hello(flood, wire::Role::producer, 1).code(), "");
  EXPECT_EQ(hello(other, wire::Role::producer, 2).code(), "");
  EXPECT_EQ(enqueue(flood, "mail.in", 0, 1, 30).code(), "");
  for (int i = 0; i < 20; ++i) {
    const Said said = enqueue(flood, "mail.in");
    EXPECT_EQ(said.code(), "overloaded");
    EXPECT_GT(wire::decode<wire::ErrorBody>(said.body)->retry_after_ms, 1'000U);
    EXPECT_EQ(said.message(),
              "the key few has enqueued more than its quota of 10 jobs a second "
              "allows: nothing was stored, try again later");
    EXPECT_EQ(enqueue(other, "mail.in").code(), "");
  }
  EXPECT_EQ(stored("mail.in"), 50U);
  now_.mono_ms += 2'200;
  EXPECT_EQ(enqueue(flood, "mail.in").code(), "");
}

TEST_F(KeysOfAShard, MoreConnectionsThanItsQuotaAreNotGreeted) {
  access::Key few = key("few", {Role::look}, {"*"});
  few.quota.connections = 2;
  put(few);
  const Connection first = connection(5, "few"), third = connection(6, "few");
  connections_ = 1;
  EXPECT_EQ(hello(first, wire::Role::client, 1).code(), "");
  connections_ = 2;
  EXPECT_EQ(hello(first, wire::Role::client, 1).code(), "");  // again: it is one of the two
  const Said said = hello(third, wire::Role::client, 2);
  EXPECT_EQ(said.code(), "overloaded");
  EXPECT_EQ(said.message(), "the key few has 2 connections already, as many as its quota allows");
  EXPECT_EQ(ask(third, Verb::status, wire::encode(wire::Empty{})).code(), "no_session");
}

}  // namespace
}  // namespace millrace::runtime
