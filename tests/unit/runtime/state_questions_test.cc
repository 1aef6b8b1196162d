// Questions that are answered from a shard's state in memory.
#include "runtime/state_questions.h"

#include "wire/codec.h"

#include <gtest/gtest.h>
#include <string>

namespace millrace::runtime {
namespace {

TEST(StateQuestions, TheStatusNamesTheGaugesOfItsStoreAnd0WhereItHasNone) {
  const core::Now now{1'000, 1'700'000'000'000};
  const core::EngineOptions options;
  const core::Engine engine(options, {}, now);
  ShardFacts facts;
  const auto wal_bytes = [&] {
    const Topology endpoints{{"ipc://a"}};
    const auto body =
        answer_question(wire::Verb::status, {}, {engine, endpoints, {}, options, facts, now});
    const auto view = wire::decode<wire::ShardView>(body.value());
    EXPECT_TRUE(view);
    return view->wal_bytes;
  };
  EXPECT_EQ(wal_bytes(), 0U);
  facts.store_gauges = {{"connections", "Connections to the database", 3},
                        {"wal_bytes", "Size of the write-ahead log", 77}};
  EXPECT_EQ(wal_bytes(), 77U);
}

// A client sends by the topology, the engine serves by its map: each partition has one shard.
TEST(StateQuestions, TheTopologySaysOfEachPartitionWhichEngineServesIt) {
  const core::Now now{1'000, 1'700'000'000'000};
  constexpr std::uint32_t shards = 3, partitions = 8;
  const Topology endpoints{{"ipc://a"}, {"ipc://b"}, {"ipc://c"}};
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    core::EngineOptions options;
    options.map = core::ShardMap(shards);
    options.shard = shard;
    options.new_topic.partitions = partitions;
    core::Engine engine(options, {}, now);
    core::Effects out;
    engine.step(core::OpenTopic{1, "t", options.new_topic, false, {}}, now, out);
    wire::Topology asked;
    asked.topics = {"t"};
    const auto body = answer_question(wire::Verb::topology, wire::encode(asked),
                                      {engine, endpoints, {}, options, {}, now});
    const auto told = wire::decode<wire::TopologyOk>(body.value());
    ASSERT_TRUE(told);
    ASSERT_EQ(told->topics.size(), 1U);
    EXPECT_EQ(told->topics[0].second, told->default_partitions);
    ASSERT_EQ(told->default_partitions.size(), partitions);
    for (std::uint16_t p = 0; p < partitions; ++p) {
      out.clear();
      core::Enqueue one{2, "t", p, {}, {}};
      one.jobs.resize(1);
      engine.step(std::move(one), now, out);
      const bool served = std::holds_alternative<core::Stored>(out.replies.at(0).body);
      EXPECT_EQ(served, told->default_partitions[p] == shard) << shard << " " << p;
    }
  }
}

}  // namespace
}  // namespace millrace::runtime
