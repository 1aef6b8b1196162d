// Times and durations in text: accepted forms, and refused ones with their messages.
#include <gtest/gtest.h>
#include <millrace/times.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace millrace::testing {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

std::int64_t ms_of(std::string_view text) {
  const auto time = parse_time(text);
  EXPECT_TRUE(time) << text << ": " << time.error().message;
  return time ? time->time_since_epoch().count() : -1;
}

TEST(TextTimes, ATimeIsTakenAsClientsWriteIt) {
  const std::vector<std::pair<const char*, std::int64_t>> cases{
      {"1970-01-01T00:00:00Z", 0},
      {"2030-01-31T12:00:00Z", 1'896'091'200'000},
      {"2030-01-31t12:00:00z", 1'896'091'200'000},
      {"2030-01-31 12:00:00+00:00", 1'896'091'200'000},  // Python's str()
      {"2030-01-31T12:00:00-00:00", 1'896'091'200'000},
      {"2030-01-31T12:00:00.123Z", 1'896'091'200'123},  // a browser's toISOString()
      {"2030-01-31T12:00:00.5Z", 1'896'091'200'500},
      {"2030-01-31T12:00:00.000001Z", 1'896'091'200'000},
      {"2030-01-31T12:00:00.999999999999999999999Z", 1'896'091'200'999},
      {"2030-01-31T14:30:00.25+02:30", 1'896'091'200'250},
      {"2030-01-30T12:01:00-23:59", 1'896'091'200'000},
      {"1969-12-31T23:00:00-01:00", 0},
      {"2028-02-29T00:00:00Z", 1'835'395'200'000},
      {"2000-02-29T00:00:00Z", 951'782'400'000},
      {"2262-04-12T00:00:00Z", 9'223'372'800'000},
      {"9999-12-31T23:59:59.999Z", 253'402'300'799'999},
      {"2016-12-31T23:59:60Z", 1'483'228'800'000},
      {"2017-01-01T01:59:60.9+02:00", 1'483'228'800'000},
  };
  for (const auto& [text, ms] : cases) EXPECT_EQ(ms_of(text), ms) << text;
}

TEST(TextTimes, WhatIsNoTimeIsRefusedByName) {
  const std::vector<std::pair<std::string, const char*>> cases{
      {"", "not a time"},
      {"soon", "not a time"},
      {"2030-1-1", "not a time"},
      {"2030-01-01", "not a time"},
      {"2030-1-1T00:00:00Z", "not a time"},
      {"2030-01-01T00:00Z", "not a time"},
      {"2030-01-01T00:00:00", "not a time"},
      {"2030-01-01T00:00:00.Z", "not a time"},
      {"2030-01-01T00:00:00,5Z", "not a time"},
      {"2030-01-01T00:00:00Zulu", "not a time"},
      {"2030-01-01T00:00:00 Z", "not a time"},
      {" 2030-01-01T00:00:00Z", "not a time"},
      {"2030-01-01T00:00:00+0100", "not a time"},
      {"2030-01-01T00:00:00+1:00", "not a time"},
      {"+2030-01-01T00:00:00Z", "not a time"},
      {"12030-01-01T00:00:00Z", "not a time"},
      {"2030-01-01T00:00:-1Z", "not a time"},
      {std::string("2030-01-01T00:00:00Z\0", 21), "not a time"},
      {"1893456000", "not a time"},
      {"2030-02-30T00:00:00Z", "does not have this day"},
      {"2030-02-29T00:00:00Z", "does not have this day"},
      {"2100-02-29T00:00:00Z", "does not have this day"},
      {"2030-04-31T00:00:00Z", "does not have this day"},
      {"2030-01-00T00:00:00Z", "does not have this day"},
      {"2030-00-01T00:00:00Z", "month"},
      {"2030-13-01T00:00:00Z", "month"},
      {"2030-01-01T24:00:00Z", "hour"},
      {"2030-01-01T00:60:00Z", "minute"},
      {"2030-01-01T00:00:61Z", "second"},
      {"2030-01-01T00:00:60Z", "second"},
      {"2030-03-31T23:59:60Z", "second"},
      {"2016-12-31T23:59:60+01:00", "second"},
      {"2030-01-01T00:00:00+24:00", "offset"},
      {"2030-01-01T00:00:00+00:60", "offset"},
      {"1969-12-31T23:59:59.999Z", "before 1970"},
      {"0001-01-01T00:00:00Z", "before 1970"},
      {"0000-01-01T00:00:00Z", "before 1970"},
      {"1970-01-01T00:00:00+00:01", "before 1970"},
      {"9999-12-31T23:59:59-00:01", "after 9999"},
  };
  for (const auto& [text, said] : cases) {
    const auto time = parse_time(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, ErrorCode::invalid);
    EXPECT_NE(time.error().message.find(said), std::string::npos) << time.error().message;
  }
}

TEST(TextTimes, EveryDayOfFourCenturiesIsItself) {
  using namespace std::chrono;
  char text[32];
  for (sys_days day = year(1970) / 1 / 1; day < sys_days(year(2400) / 1 / 1); day += days(1)) {
    const year_month_day date(day);
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT00:00:00Z", int(date.year()),
                  unsigned(date.month()), unsigned(date.day()));
    ASSERT_EQ(ms_of(text), milliseconds(day.time_since_epoch()).count()) << text;
  }
}

TEST(TextTimes, ADurationIsTakenAsPeopleWriteIt) {
  const std::vector<std::pair<const char*, milliseconds>> cases{
      {"0s", 0ms},           {"250ms", 250ms},        {"90s", 90s},
      {"1.5s", 1500ms},      {"1h30m", 90min},        {"1d2h3m4s5ms", 93'784'005ms},
      {"0.001s", 1ms},       {"1.50s", 1500ms},       {"2.5h", 150min},
      {"1m0.25s", 60'250ms}, {"100000d", 2'400'000h}, {"007s", 7s},
      {"1.0ms", 1ms},        {"90m", 90min},          {"1h300m", 6h},
  };
  for (const auto& [text, span] : cases) {
    const auto read = parse_duration(text);
    ASSERT_TRUE(read) << text << ": " << read.error().message;
    EXPECT_EQ(*read, span) << text;
  }
}

TEST(TextTimes, WhatIsNoDurationIsRefusedByName) {
  const std::vector<std::pair<std::string, const char*>> cases{
      {"", "not a duration"},
      {"90", "not a duration"},
      {"0", "not a duration"},
      {"s", "not a duration"},
      {"-5s", "not a duration"},
      {"+5s", "not a duration"},
      {"5 s", "not a duration"},
      {" 5s", "not a duration"},
      {"5s ", "not a duration"},
      {"5S", "not a duration"},
      {"5sec", "not a duration"},
      {"5min", "not a duration"},
      {"30m1h", "not a duration"},
      {"1s1s", "not a duration"},
      {"1h30", "not a duration"},
      {"1.5h30m", "not a duration"},
      {".5s", "not a duration"},
      {"1.s", "not a duration"},
      {"1e3s", "not a duration"},
      {"0x10s", "not a duration"},
      {"1,5s", "not a duration"},
      {"PT1H", "not a duration"},
      {"1h 30m", "not a duration"},
      {"inf", "not a duration"},
      {"0.5ms", "more precise"},
      {"0.0001s", "more precise"},
      {"0.00000000000000001d", "more precise"},
      {"100001d", "too long"},
      {"99999999999999999999999ms", "too long"},
      {"9223372036854775807d", "too long"},
      {"100000d1ms", "too long"},
  };
  for (const auto& [text, said] : cases) {
    const auto read = parse_duration(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::invalid);
    EXPECT_NE(read.error().message.find(said), std::string::npos) << read.error().message;
  }
}

TEST(TextTimes, AnErrorQuotesLittleAndCleanly) {
  const auto time = parse_time("\x1b[31m" + std::string(1'000, 'x'));
  ASSERT_FALSE(time);
  EXPECT_LT(time.error().message.size(), 200U);
  EXPECT_EQ(time.error().message.find('\x1b'), std::string::npos);
}

TEST(TextTimes, WhatTheSystemsClockCannotCountIsRefused) {
  const auto last = parse_time("2262-04-11T23:47:16.854Z");
  ASSERT_TRUE(last && to_system_clock(*last));
  EXPECT_EQ(std::chrono::floor<milliseconds>(*to_system_clock(*last)), *last);
  const auto beyond = to_system_clock(*parse_time("2262-04-11T23:47:16.855Z"));
  ASSERT_FALSE(beyond);
  EXPECT_NE(beyond.error().message.find("2262"), std::string::npos);
  EXPECT_FALSE(to_system_clock(*parse_time("9999-12-31T23:59:59Z")));
}

}  // namespace
}  // namespace millrace::testing
