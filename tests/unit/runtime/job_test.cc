// The conversions of a job in the broker: from a producer's message, to a worker's message, to the
// views.
#include "core/engine.h"
#include "net/dispatcher.h"
#include "net/job_messages.h"
#include "net/replies.h"
#include "runtime/row_questions.h"
#include "wire/codec.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>

namespace millrace::runtime {
namespace {

constexpr core::Now now{1'000, 1'700'000'000'000};
const core::SessionId worker{7};

// Parsed, stepped and given out, as a shard does.
class Jobs : public ::testing::Test {
 protected:
  core::Effects step(core::Command command) {
    core::Effects out;
    engine_.step(std::move(command), now, out);
    engine_.step(core::Dispatch{}, now, out);
    return out;
  }
  core::Job enqueue(const wire::NewJob& job) {
    const std::string header = wire::encode_header(wire::Verb::enqueue, 1);
    wire::Enqueue message;
    message.topic = "t";
    message.jobs.push_back(job);
    const std::string body = wire::encode(message);
    auto parsed = net::parse({.peer = "p", .header = header, .body = body, .two_parts = true},
                             &worker, now, nullptr);
    EXPECT_TRUE(parsed.command);
    core::Effects out = step(std::move(*parsed.command));
    EXPECT_EQ(out.changes.inserts.size(), 1U);
    return out.changes.inserts.at(0);
  }

  core::Engine engine_{{}, {}, now};
};

TEST_F(Jobs, ArriveAtTheirRowTheirWorkerAndTheirViewAsTheyWereSent) {
  wire::NewJob sent;
  sent.payload = "payload";
  sent.key = "key";
  sent.headers = "headers";
  sent.priority = 3;
  sent.attempts_max = 9;
  const core::Job row = enqueue(sent);
  EXPECT_EQ(row.payload, "payload");
  EXPECT_EQ(row.key, "key");
  EXPECT_EQ(row.headers, "headers");
  EXPECT_EQ(row.priority, 3);
  EXPECT_EQ(row.attempts_max, 9U);
  EXPECT_EQ(row.enqueued_ms, now.wall_ms);

  step(core::SessionOpen{1, worker, "w", {}});
  const auto out = step(core::Subscribe{2, worker, {"t"}, 1});
  ASSERT_EQ(out.deliveries.size(), 1U);
  const std::string message = net::deliver(out.deliveries[0], "t");
  const auto delivered = wire::decode<wire::Deliver>(message);
  ASSERT_TRUE(delivered);
  ASSERT_EQ(delivered->jobs.size(), 1U);
  const wire::DeliveredJob& got = delivered->jobs[0];
  EXPECT_EQ(got.seq, row.ref.seq);
  EXPECT_EQ(got.token, out.deliveries[0].jobs[0].token);
  EXPECT_EQ(got.attempt, 1U);
  EXPECT_EQ(got.attempts_max, 9U);
  EXPECT_EQ(got.payload, "payload");
  EXPECT_EQ(got.key, "key");
  EXPECT_EQ(got.headers, "headers");
  EXPECT_EQ(got.enqueued_ms, static_cast<std::uint64_t>(now.wall_ms));

  storage::JobRow stored{.job = row, .payload_bytes = 7};
  stored.job.error = "why";
  stored.job.deaths = 2;
  const std::string shown = job_body(stored, engine_, now);
  const auto view = wire::decode<wire::JobView>(shown);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->job.topic, "t");
  EXPECT_EQ(view->job.seq, row.ref.seq);
  EXPECT_EQ(view->state, "running");
  EXPECT_EQ(view->priority, 3U);
  EXPECT_EQ(view->attempt, 1U);
  EXPECT_EQ(view->attempts_max, 9U);
  EXPECT_EQ(view->deaths, 2U);
  EXPECT_EQ(view->enqueued_ms, static_cast<std::uint64_t>(now.wall_ms));
  EXPECT_EQ(view->payload_bytes, 7U);
  EXPECT_EQ(view->payload, "payload");
  EXPECT_EQ(view->key, "key");
  EXPECT_EQ(view->error, "why");
}

TEST_F(Jobs, WithoutOptionsGetThoseOfTheTopic) {
  wire::NewJob sent;
  sent.payload = "p";
  const core::Job row = enqueue(sent);
  EXPECT_EQ(row.priority, core::priority_default);
  EXPECT_EQ(row.attempts_max, core::attempts_default);
  EXPECT_EQ(row.due_ms, 0);
  sent.delay_ms = 50;
  EXPECT_EQ(enqueue(sent).due_ms, now.wall_ms + 50);
  sent.run_at_ms = static_cast<std::uint64_t>(now.wall_ms) + 70;
  EXPECT_EQ(enqueue(sent).due_ms, now.wall_ms + 70);
}

}  // namespace
}  // namespace millrace::runtime
