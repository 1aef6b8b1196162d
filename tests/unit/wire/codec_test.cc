// Round trips of messages, and invalid messages that are refused.
#include "wire/codec.h"
#include "wire/error_codes.h"

#include <gtest/gtest.h>

namespace millrace::wire {
namespace {

TEST(Codec, AHeaderComesBack) {
  const auto header = decode_header(encode_header(Verb::enqueue, 77));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->version, 1U);
  EXPECT_EQ(header->verb, 16U);
  EXPECT_EQ(header->correlation, 77U);
  EXPECT_FALSE(decode_header("garbage"));
  EXPECT_FALSE(decode_header(std::string(100, '\x90')));
}

TEST(Codec, AnEnqueueComesBackAndPointsIntoItsFrame) {
  Enqueue sent;
  sent.topic = "thumbnails";
  sent.partition = 3;
  sent.producer = Id{1, 2, 3};
  sent.epoch = 1;
  sent.batch = 9;
  sent.answered = 7;
  sent.jobs.push_back({.payload = "p", .key = "k", .priority = 0, .delay_ms = 30});
  const std::string frame = encode(sent);
  const auto got = decode<Enqueue>(frame);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->topic, "thumbnails");
  EXPECT_EQ(got->producer, sent.producer);
  EXPECT_EQ(got->answered, 7U);
  ASSERT_EQ(got->jobs.size(), 1U);
  EXPECT_EQ(got->jobs[0].priority, 0U);
  EXPECT_EQ(got->jobs[0].delay_ms, 30U);
  EXPECT_FALSE(got->jobs[0].run_at_ms);
  const char* at = got->jobs[0].payload.data();
  EXPECT_TRUE(at >= frame.data() && at < frame.data() + frame.size());
}

// Views of nothing, as the sanitizers see them too.
TEST(Codec, AJobWithoutAPayloadIsWrittenAndRead) {
  Enqueue sent;
  sent.topic = "t";
  sent.jobs.emplace_back();
  const std::string frame = encode(sent);
  const auto got = decode<Enqueue>(frame);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(got->jobs.at(0).payload.empty());
}

TEST(Codec, EachMistakeNamesItsFieldAndItsPlace) {
  Enqueue sent;
  sent.topic = "t";
  sent.jobs.push_back({.payload = "p"});
  sent.jobs.push_back({.payload = "p", .priority = 10});
  auto got = decode<Enqueue>(encode(sent));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::too_large);
  EXPECT_EQ(got.error().message, "jobs[1]: priority is larger than its maximum of 9");
  sent.jobs.pop_back();
  sent.topic = "no spaces";
  got = decode<Enqueue>(encode(sent));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::invalid);
  EXPECT_FALSE(decode<Enqueue>("\x80"));
}

TEST(Codec, APayloadOverOneMebibyteIsTooLarge) {
  const std::string large(payload_bytes_max + 1, 'x');
  Enqueue sent;
  sent.topic = "t";
  sent.jobs.push_back({.payload = large});
  const std::string frame = encode(sent);
  const auto got = decode<Enqueue>(frame);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::too_large);
}

TEST(Codec, ALongErrorKeepsItsTail) {
  const std::string error = std::string(error_bytes_max, 'a') + "the end";
  Settle sent;
  sent.outcomes.push_back({.token = 1, .outcome = OutcomeKind::retry, .error = error});
  const std::string frame = encode(sent);
  const auto got = decode<Settle>(frame);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->outcomes[0].error.size(), error_bytes_max);
  EXPECT_TRUE(got->outcomes[0].error.ends_with("the end"));
}

TEST(Codec, AHelloWithWhatIsHeldAndATopologyComeBack) {
  Hello hello;
  hello.role = Role::worker;
  hello.held.push_back({{"t", 1, 2}, 3});
  const std::string frame = encode(hello);
  const auto got = decode<Hello>(frame);
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(got->held.size(), 1U);
  EXPECT_EQ(got->held[0].first.seq, 2U);
  TopologyOk topology;
  topology.shards = {{"ipc://a"}, {"ipc://b", "tcp://c"}};
  topology.default_partitions = {0, 1};
  topology.topics = {{"t", {1, 0}}};
  const std::string map = encode(topology);
  const auto back = decode<TopologyOk>(map);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->shards, topology.shards);
  EXPECT_EQ(back->topics, topology.topics);
}

TEST(Codec, ABackupViewComesBack) {
  BackupView sent;
  sent.state = "failed";
  sent.name = "nightly-1";
  sent.code = "disk_full";
  sent.copied_bytes = 3;
  sent.total_bytes = 4;
  sent.last_name = "nightly-0";
  sent.last_bytes = 5;
  const std::string frame = encode(sent);
  const auto got = decode<BackupView>(frame);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->state, "failed");
  EXPECT_EQ(got->code, "disk_full");
  EXPECT_EQ(got->copied_bytes, 3U);
  EXPECT_EQ(got->last_name, "nightly-0");
  EXPECT_EQ(got->last_bytes, 5U);
}

TEST(Codec, UnknownKeysAreIgnoredAndNilIsAbsent) {
  // {"credit": 5, "new": [1, {}], "x": nil}
  const std::string frame = std::string("\x83\xa6") + "credit\x05\xa3" + "new\x92\x01\x80\xa1x\xc0";
  const auto got = decode<Credit>(frame);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->credit, 5U);
}

TEST(Names, JobIdsAreReadStrictly) {
  const auto job = parse_job("thumbnails/3/1842");
  ASSERT_TRUE(job);
  EXPECT_EQ(job->seq, 1842U);
  for (const char* bad : {"", "t", "t/1", "t/1/0", "t/01/2", "t/1/2x", "/1/2", "t//2", "t/70000/1",
                          "t/1/99999999999999999999", "a b/1/2"}) {
    EXPECT_FALSE(parse_job(bad)) << bad;
  }
}

TEST(Names, AKeyHasOnePartitionForEveryClient) {
  EXPECT_EQ(partition_of("", 8), 1U);
  EXPECT_EQ(partition_of("a", 8), 0U);
  EXPECT_EQ(partition_of("customer-1", 8), 4U);
  EXPECT_EQ(partition_of("customer-2", 8), 1U);
}

TEST(ErrorCodes, EachSpellsItselfAndBack) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::unavailable); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(parse_code(to_string(code)), code);
  }
  EXPECT_FALSE(parse_code("nonsense"));
}

TEST(Codec, ALimitOfZeroIsNotTakenForTheDefault) {
  EXPECT_EQ(decode<Jobs>(encode(Jobs{.limit = 0}))->limit, 0U);
  EXPECT_EQ(decode<DeadSelect>(encode(DeadSelect{.topic = "t", .limit = 0}))->limit, 0U);
  EXPECT_FALSE(decode<DeadSelect>(encode(DeadSelect{.topic = "t"}))->limit);
}

}  // namespace
}  // namespace millrace::wire
