// Every verb with every role and every place of a topic: what the broker allows is what the table
// of this file says, which was written from docs/operations.md and not from the code.
#include "net/dispatcher.h"
#include "runtime/row_questions.h"
#include "runtime/state_questions.h"
#include "wire/codec.h"

#include <gtest/gtest.h>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::runtime {
namespace {

using wire::JobRef;
using wire::Verb;

constexpr core::Now at_noon{1'000, 1'700'000'000'000};
const core::SessionId asker{7};
const wire::Id an_id{9};

// By the numbers of the protocol: the roles that may send a verb. "any": every key, also one that
// has no role.
const std::map<std::uint64_t, std::string_view> allowed_roles{
    {1, "any"},                  // HELLO
    {2, "any"},                  // HEARTBEAT
    {3, "any"},                  // GOODBYE
    {16, "produce admin"},       // ENQUEUE
    {32, "work admin"},          // SUBSCRIBE
    {33, "work admin"},          // CREDIT
    {34, "work admin"},          // SETTLE
    {35, "work admin"},          // PROGRESS
    {36, "work admin"},          // DRAIN
    {64, "any"},                 // TOPOLOGY
    {65, "look operate admin"},  // TOPICS
    {66, "operate admin"},       // TOPIC_CREATE
    {67, "operate admin"},       // PAUSE
    {68, "operate admin"},       // RESUME
    {72, "look operate admin"},  // JOB
    {73, "look operate admin"},  // JOBS
    {74, "look operate admin"},  // EXPLAIN
    {75, "operate admin"},       // CANCEL
    {76, "look operate admin"},  // WAIT
    {80, "operate admin"},       // DEAD_REQUEUE
    {81, "operate admin"},       // DEAD_PURGE
    {88, "look operate admin"},  // STATUS
    {89, "look operate admin"},  // SESSIONS
    {90, "admin"},               // BACKUP
    {91, "look operate admin"},  // BACKUP_STATUS
};

// Every body that a verb can have, with a topic at one of its places. Places that only report what
// a client holds, or that are left out of the answer, are not refused: `refused` is false.
struct Place {
  std::string name;
  bool refused = true;
  std::function<std::string(std::string_view topic)> body;
};

std::string none(std::string_view /*topic*/) { return wire::encode(wire::Empty{}); }

template <typename Body>
std::function<std::string(std::string_view)> with_topic(Body body) {
  return [body](std::string_view topic) mutable {
    body.topic = topic;
    return wire::encode(body);
  };
}

template <typename Body>
std::function<std::string(std::string_view)> with_job(Body body) {
  return [body](std::string_view topic) mutable {
    body.job = {topic, 0, 1};
    return wire::encode(body);
  };
}

std::vector<Place> places_of_jobs() {
  return {{"topic", true, with_topic(wire::Jobs{})},
          {"after", true,
           [](std::string_view topic) {
             wire::Jobs jobs;
             jobs.after = JobRef{topic, 0, 1};
             return wire::encode(jobs);
           }},
          {"after, behind a topic that is covered", true,
           [](std::string_view topic) {
             wire::Jobs jobs;
             jobs.topic = "mail.in";
             jobs.after = JobRef{topic, 0, 1};
             return wire::encode(jobs);
           }},
          {"no topic", false, [](std::string_view) { return wire::encode(wire::Jobs{}); }}};
}

std::vector<Place> places_of_dead() {
  const auto with_jobs = [](std::string_view topic, std::vector<JobRef> jobs) {
    return wire::encode(wire::DeadSelect{topic, std::move(jobs), {}, an_id});
  };
  return {{"topic with a limit", true,
           [](std::string_view topic) {
             return wire::encode(wire::DeadSelect{topic, {}, 5, an_id});
           }},
          {"topic with jobs", true, [with_jobs](std::string_view topic) {
             return with_jobs(topic, {{topic, 0, 1}});
           }}};
}

std::map<Verb, std::vector<Place>> places() {
  wire::Enqueue enqueue;
  enqueue.jobs.resize(1);
  wire::Hello hello;
  hello.session = an_id;
  const std::vector<Place> nothing{{"", false, none}};
  const std::vector<Place> change{{"topic", true, with_topic(wire::TopicName{{}, an_id})}};
  const std::vector<Place> job{{"job", true, with_job(wire::JobName{{}, {}})}};
  return {
      {Verb::hello,
       {{"held", false,
         [hello](std::string_view topic) {
           wire::Hello body = hello;
           body.role = wire::Role::worker;
           body.held = {{JobRef{topic, 0, 1}, 1}};
           return wire::encode(body);
         }}}},
      {Verb::heartbeat, nothing},
      {Verb::goodbye, nothing},
      {Verb::enqueue, {{"topic", true, with_topic(enqueue)}}},
      {Verb::subscribe,
       {{"the only topic", true,
         [](std::string_view topic) {
           return wire::encode(wire::Subscribe{{topic}, 1});
         }},
        {"the second topic", true,
         [](std::string_view topic) {
           return wire::encode(wire::Subscribe{{"mail.in", topic}, 1});
         }}}},
      {Verb::credit, {{"", false, [](std::string_view) { return wire::encode(wire::Credit{1}); }}}},
      {Verb::settle,
       {{"", false,
         [](std::string_view) {
           return wire::encode(wire::Settle{{wire::JobOutcome{.token = 1}}, 0});
         }}}},
      {Verb::progress,
       {{"", false,
         [](std::string_view) {
           return wire::encode(wire::Progress{1, 5, "x"});
         }}}},
      {Verb::drain, nothing},
      {Verb::topology,
       {{"topics", false,
         [](std::string_view topic) { return wire::encode(wire::Topology{{topic}}); }}}},
      {Verb::topics,
       {{"topic", true, with_topic(wire::TopicName{})},
        {"no topic", false, [](std::string_view) { return wire::encode(wire::TopicName{}); }}}},
      {Verb::topic_create, {{"topic", true, with_topic(wire::TopicCreate{})}}},
      {Verb::pause, change},
      {Verb::resume, change},
      {Verb::job, job},
      {Verb::jobs, places_of_jobs()},
      {Verb::explain, job},
      {Verb::cancel, {{"job", true, with_job(wire::JobName{{}, an_id})}}},
      {Verb::wait, {{"job", true, with_job(wire::Wait{{}, 1'000})}}},
      {Verb::dead_requeue, places_of_dead()},
      {Verb::dead_purge, places_of_dead()},
      {Verb::status, nothing},
      {Verb::sessions, nothing},
      {Verb::backup,
       {{"", false,
         [](std::string_view) {
           return wire::encode(wire::Backup{"nightly-1", 0, an_id});
         }}}},
      {Verb::backup_status, nothing},
  };
}

// mail.in and fax exist, mail.none and nowhere do not; a key of this test covers mail.*.
struct Topic {
  std::string_view name;
  bool inside, exists;
};
constexpr Topic topics_asked[] = {{"mail.in", true, true},
                                  {"fax", false, true},
                                  {"mail.none", true, false},
                                  {"nowhere", false, false},
                                  {"mailX", false, false}};

class Permissions : public ::testing::Test {
 protected:
  void SetUp() override {
    core::Effects out;
    for (const char* name : {"mail.in", "fax"}) {
      engine_.step(core::OpenTopic{0, name, {.partitions = 1}, true, {}}, at_noon, out);
    }
  }

  // The code of the refusal; empty: it is allowed.
  std::optional<ErrorCode> refused(Verb verb, const std::string& body, const access::Key* key,
                                   bool greeted = true) {
    const std::string header = wire::encode_header(verb, 5);
    auto parsed = net::parse({.peer = "p", .header = header, .body = body, .two_parts = true},
                             greeted ? &asker : nullptr, at_noon, key);
    if (parsed.refused) {
      EXPECT_FALSE(parsed.command) << "refused, and still a command";
      said_ = parsed.error.message;
      return parsed.error.code;
    }
    if (parsed.kind == wire::VerbKind::row_question) {
      return code_of(row_question({"p", verb, 5}, body, engine_, at_noon, key));
    }
    if (parsed.kind == wire::VerbKind::question) {
      return code_of(answer_question(
          verb, body, {engine_, endpoints_, endpoints_, options_, facts_, at_noon, key}));
    }
    return std::nullopt;
  }

  const core::EngineOptions options_{};
  core::Engine engine_{options_, {}, at_noon};
  std::string said_;

 private:
  template <typename T>
  std::optional<ErrorCode> code_of(const Result<T>& result) {
    if (result) return std::nullopt;
    said_ = result.error().message;
    return result.error().code;
  }
  const Topology endpoints_{{"ipc://a"}};
  const ShardFacts facts_{};
};

const std::vector<access::Role> every_role{access::Role::produce, access::Role::work,
                                           access::Role::look, access::Role::operate,
                                           access::Role::admin};

// Every set of roles: none, each, each pair, and so on to all of them.
std::vector<access::Key> keys_of_every_set() {
  std::vector<access::Key> keys;
  for (unsigned set = 0; set < (1U << every_role.size()); ++set) {
    access::Key& key = keys.emplace_back();
    key.name = "k" + std::to_string(set);
    key.topics = {"mail.*"};
    for (std::size_t i = 0; i < every_role.size(); ++i) {
      if ((set >> i & 1U) != 0) key.may.push_back(every_role[i]);
    }
  }
  return keys;
}

// By the table of this file.
bool may(const access::Key& key, Verb verb) {
  const std::string_view roles = allowed_roles.at(static_cast<std::uint64_t>(verb));
  if (roles == "any") return true;
  for (const auto role : key.may) {
    const std::string padded = " " + std::string(roles) + " ";
    if (padded.find(" " + std::string(access::role_name(role)) + " ") != std::string::npos) {
      return true;
    }
  }
  return false;
}

TEST_F(Permissions, AreThoseOfTheTableForEveryVerbRoleAndTopic) {
  const auto all = places();
  std::size_t tried = 0;
  for (const access::Key& key : keys_of_every_set()) {
    for (const auto& [verb, bodies] : all) {
      for (const Place& place : bodies) {
        for (const Topic& topic : topics_asked) {
          const auto code = refused(verb, place.body(topic.name), &key);
          const bool allowed = may(key, verb) && (topic.inside || !place.refused);
          const std::string where = key.name + " " +
                                    std::string(wire::verb_name(static_cast<std::uint64_t>(verb))) +
                                    " " + place.name + " " + std::string(topic.name);
          EXPECT_EQ(code == ErrorCode::forbidden, !allowed) << where;
          // What is allowed on a topic that exists is not refused for any other reason.
          if (allowed && topic.exists) {
            EXPECT_EQ(code, std::nullopt) << where << ": " << said_;
          }
          ++tried;
        }
      }
    }
  }
  EXPECT_GT(tried, 32U * 30U * 5U);
}

TEST_F(Permissions, EveryVerbHasARowInEachTable) {
  const auto all = places();
#define MILLRACE_VERB(name, number, kind, permission)                                      \
  if (wire::VerbKind::kind != wire::VerbKind::reply) {                                     \
    EXPECT_EQ(allowed_roles.count(number), 1U) << #name << " has no row in allowed_roles"; \
    EXPECT_EQ(all.count(Verb::name), 1U) << #name << " has no row in places()";            \
  }
  MILLRACE_VERBS(MILLRACE_VERB)
#undef MILLRACE_VERB
}

TEST_F(Permissions, WhatBrokersSayAndUnknownVerbsAreRefusedWithEveryKey) {
  for (const access::Key& key : keys_of_every_set()) {
    for (const std::uint64_t number : {0U, 4U, 17U, 92U, 128U, 129U, 130U, 131U, 132U, 255U}) {
      EXPECT_EQ(refused(static_cast<Verb>(number), none(""), &key), ErrorCode::unknown_verb);
    }
  }
}

TEST_F(Permissions, WithoutAKeyEverythingIsAllowed) {
  for (const auto& [verb, bodies] : places()) {
    for (const Place& place : bodies) {
      for (const char* topic : {"mail.in", "fax"}) {
        EXPECT_EQ(refused(verb, place.body(topic), nullptr), std::nullopt)
            << wire::verb_name(static_cast<std::uint64_t>(verb)) << ": " << said_;
      }
    }
  }
}

// A key without the role learns nothing from the order of the checks: not whether its body is
// valid, nor whether a topic exists, nor whether it has said HELLO.
TEST_F(Permissions, TheRoleIsLookedAtBeforeTheSessionAndTheBody) {
  const access::Key key = keys_of_every_set().front();
  for (const auto& [verb, bodies] : places()) {
    if (may(key, verb)) continue;
    EXPECT_EQ(refused(verb, "no msgpack", &key), ErrorCode::forbidden);
    EXPECT_EQ(refused(verb, bodies[0].body("mail.in"), &key, false), ErrorCode::forbidden);
    EXPECT_EQ(said_.rfind("the key k0 may not " +
                              std::string(wire::verb_name(static_cast<std::uint64_t>(verb))) +
                              ": that needs the role ",
                          0),
              0U)
        << said_;
  }
}

// Jobs of two topics in one request: one that is covered must not cover for the other.
TEST_F(Permissions, EveryJobOfARequestIsHeldAgainstThePatterns) {
  access::Key key;
  key.name = "ops";
  key.may = {access::Role::operate};
  key.topics = {"mail.*"};
  for (const Verb verb : {Verb::dead_requeue, Verb::dead_purge}) {
    for (const std::size_t at : {0U, 1U, 2U}) {
      wire::DeadSelect select{
          "mail.in", {{"mail.in", 0, 1}, {"mail.in", 0, 2}, {"mail.in", 0, 3}}, {}, an_id};
      select.jobs[at].topic = "fax";
      EXPECT_EQ(refused(verb, wire::encode(select), &key), ErrorCode::forbidden) << at;
      EXPECT_EQ(said_,
                "the key ops has no access to the topic fax: its topics are listed in its "
                "file at the broker");
    }
  }
}

// A claim of a job that a worker still holds is kept only with the rights of a delivery.
TEST_F(Permissions, ClaimsNeedTheRoleAndTheTopic) {
  wire::Hello hello;
  hello.role = wire::Role::worker;
  hello.session = an_id;
  hello.held = {{JobRef{"mail.in", 0, 1}, 1}, {JobRef{"fax", 0, 1}, 2}};
  const std::string header = wire::encode_header(Verb::hello, 1), body = wire::encode(hello);
  for (const access::Key& key : keys_of_every_set()) {
    const auto parsed = net::parse({.peer = "p", .header = header, .body = body, .two_parts = true},
                                   nullptr, at_noon, &key);
    ASSERT_TRUE(parsed.command);
    const auto& held = std::get<core::SessionOpen>(*parsed.command).held;
    ASSERT_EQ(held.size(), 2U);
    EXPECT_EQ(held[0].topic, may(key, Verb::subscribe) ? "mail.in" : "") << key.name;
    EXPECT_EQ(held[1].topic, "") << key.name;
  }
}

}  // namespace
}  // namespace millrace::runtime
