// Round trips of a job's headers, invalid headers that are refused, and bytes that are not a map.
#include "wire/headers.h"
#include "wire/limits.h"

#include <gtest/gtest.h>

namespace millrace::wire {
namespace {

TEST(Headers, AMapComesBackAsItWas) {
  const Headers sent{{"traceparent", "00-1-2-01"}, {"who", ""}, {"é", "a \"b\"\n"}};
  const auto bytes = encode_headers(sent);
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(decode_headers(*bytes), sent);
}

TEST(Headers, NoneAreNoBytes) {
  EXPECT_EQ(encode_headers({}), "");
  EXPECT_TRUE(decode_headers("").empty());
}

TEST(Headers, EachBoundIsRefusedWithASentence) {
  const auto refused = [](const Headers& headers, ErrorCode code, const std::string& words) {
    const auto bytes = encode_headers(headers);
    ASSERT_FALSE(bytes) << words;
    EXPECT_EQ(bytes.error().code, code);
    EXPECT_NE(bytes.error().message.find(words), std::string::npos) << bytes.error().message;
  };
  refused({{"", "x"}}, ErrorCode::invalid, "must not be empty");
  refused({{"\xff", "x"}}, ErrorCode::invalid, "name of a header is not valid UTF-8");
  for (const char* text : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    refused({{"who", text}}, ErrorCode::invalid, "'who' is not valid UTF-8");
  }
  refused({{"a", std::string(5'000, 'x')}}, ErrorCode::too_large, "1 KiB");
  Headers many;
  for (std::size_t n = 0; n < job_headers_max; ++n) many[std::to_string(n)] = "v";
  EXPECT_TRUE(encode_headers(many));
  many["one more"] = "v";
  refused(many, ErrorCode::invalid, "more than 32 headers");
}

TEST(Headers, TheBoundOfBytesCountsTheWholeMap) {
  const std::size_t around = encode_headers(Headers{{"a", std::string(900, 'x')}})->size() - 900;
  const std::size_t most = job_headers_bytes_max - around;
  EXPECT_EQ(encode_headers(Headers{{"a", std::string(most, 'x')}})->size(), job_headers_bytes_max);
  EXPECT_FALSE(encode_headers(Headers{{"a", std::string(most + 1, 'x')}}));
}

// What clients of 0.1 sent, and what none of ours sends.
TEST(Headers, BytesThatAreNoMapOfTextsComeAsTheyAre) {
  using namespace std::string_literals;
  for (const std::string& bytes :
       {"as it is"s, "{\"a\":\"b\"}"s, "\0"s, "\x81\xa1h\x01"s, "\x81\xa1h"s, "\x81\xa1h\xa1vmore"s,
        "\x81\xa0\xa1v"s, "\x81\xa1\xff\xa1v"s, "\x81\xa1h\xa1\xff"s, "\xdf\xff\xff\xff\xff"s}) {
    EXPECT_EQ(decode_headers(bytes), (Headers{{"", bytes}}));
  }
}

}  // namespace
}  // namespace millrace::wire
