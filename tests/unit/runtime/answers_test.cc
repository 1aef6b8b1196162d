// Questions that the engine's state answers at once, as messages.
#include "runtime/answers.h"

#include "wire/codec.h"

#include <gtest/gtest.h>
#include <string>

namespace millrace::runtime {
namespace {

TEST(Answers, TheStatusNamesTheGaugesOfItsStoreAnd0WhereItHasNone) {
  const core::Now now{1'000, 1'700'000'000'000};
  const core::EngineOptions options;
  const core::Engine engine(options, {}, now);
  ShardFacts facts;
  const auto wal_bytes = [&] {
    const std::string body = answer(wire::Empty{}, wire::Verb::status, engine, {{"ipc://a"}},
                                    options.new_topic, facts, now);
    const auto view = wire::decode<wire::ShardView>(body);
    EXPECT_TRUE(view);
    return view->wal_bytes;
  };
  EXPECT_EQ(wal_bytes(), 0U);
  facts.store_gauges = {{"connections", "Connections to the database", 3},
                        {"wal_bytes", "Size of the write-ahead log", 77}};
  EXPECT_EQ(wal_bytes(), 77U);
}

}  // namespace
}  // namespace millrace::runtime
