// The reader trusts no length: each malformed input is an error, and nothing worse.
#include "wire/reader.h"
#include "wire/codec.h"

#include <gtest/gtest.h>
#include <msgpack.hpp>
#include <random>

namespace millrace::wire {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int v : values) text.push_back(static_cast<char>(v));
  return text;
}

TEST(Reader, FiveBytesThatClaimFourBillionElementsAreRefused) {
  const auto result = check_frame(bytes({0xdd, 0xff, 0, 0, 0}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::too_large);
}

TEST(Reader, DeepNestingIsRefused) {
  EXPECT_TRUE(check_frame(std::string(nesting_max, '\x91') + '\xc0'));
  const auto result = check_frame(std::string(1'000'000, '\x91'));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::too_large);
}

TEST(Reader, EveryCutOfAMessageIsRefused) {
  Enqueue message;
  message.topic = "t";
  message.jobs.push_back({.payload = "payload", .key = "k", .priority = 3});
  const std::string frame = encode(message);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(decode<Enqueue>(frame.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode<Enqueue>(frame + '\0'));
  const std::string text_last = encode(Closing{"the broker stops"});
  for (std::size_t size = 0; size < text_last.size(); ++size) {
    EXPECT_FALSE(decode<Closing>(text_last.substr(0, size))) << size;
  }
}

TEST(Reader, TooManyElementsInAllAreRefused) {
  std::string frame = bytes({0x92});
  for (int i = 0; i < 2; ++i) {
    frame += bytes({0xdd, 0, 0, 0x9c, 0x40});  // 40,000
    frame.append(40'000, '\x01');
  }
  const auto result = check_frame(frame);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::too_large);
}

// What the library accepts within our bounds we accept, and the other way round; mutations crash
// neither.
TEST(Reader, AgreesWithTheLibraryOnSeededBytes) {
  std::mt19937_64 random(42);
  const msgpack::unpack_limit limit(60'000, 60'000, 1U << 20, 1U << 20, 1U << 20, nesting_max);
  for (int round = 0; round < 20'000; ++round) {
    std::string frame(1 + random() % 24, '\0');
    for (char& c : frame) c = static_cast<char>(random());
    bool library = false;
    try {
      std::size_t used = 0;
      msgpack::unpack(frame.data(), frame.size(), used, nullptr, nullptr, limit);
      library = used == frame.size();
    } catch (const std::exception&) {
      library = false;
    }
    EXPECT_EQ(static_cast<bool>(check_frame(frame)), library) << round;
  }
}

}  // namespace
}  // namespace millrace::wire
