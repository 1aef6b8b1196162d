// Jobs in JSON: a payload is kept byte for byte, and no unknown or invalid field is ignored.
#include "base64.h"
#include "job_json.h"
#include "json_scan.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace millrace::gateway {
namespace {

std::string payload_of(const std::string& value) {
  const auto parsed = parse_jobs(" \n{\"payload\" :\t" + value + " }\r\n", "t");
  EXPECT_TRUE(parsed) << value << ": " << parsed.error().message;
  return parsed ? parsed->jobs.front().payload : "refused";
}

TEST(JobJson, APayloadIsKeptByteForByte) {
  for (const std::string value :
       {R"({"b": 1, "a": 1.10, "big": 12345678901234567890123})", "1e400", "-0.0E-0", "[ ]", "{\n}",
        R"({"a":1,"a":2,"":{"a" : [1,{"b":null}, true]}})", R"(["é","é","\/","\ud83d\ude00"])",
        "null", "false", "0", "123456789012345678901234567890.12345678901234567890"}) {
    EXPECT_EQ(payload_of(value), value);
  }
  EXPECT_EQ(payload_of(R"("a\"\\\/\b\f\n\r\té😀\u0000z")"),
            std::string("a\"\\/\b\f\n\r\té😀\0z", 17));
  EXPECT_EQ(payload_of("\"\""), "");
}

TEST(JobJson, WhatIsNotJsonIsRefused) {
  const std::string deep(65, '[');
  for (const std::string value : {"",
                                  "tru",
                                  "nulll",
                                  "01",
                                  "-",
                                  "1.",
                                  ".5",
                                  "+1",
                                  "1e",
                                  "0x10",
                                  "NaN",
                                  "Infinity",
                                  "'a'",
                                  "{a:1}",
                                  "[1,]",
                                  "{\"a\":1,}",
                                  "[1 2]",
                                  "{\"a\" 1}",
                                  "{\"a\":}",
                                  "[",
                                  "\"",
                                  "\"\\x\"",
                                  "\"\\u12g4\"",
                                  "\"\\ud800\"",
                                  "\"\\udc00\"",
                                  "\"\\ud800\\u0041\"",
                                  "\"\\ud800x\"",
                                  "\"a\nb\"",
                                  "\"\t\"",
                                  "\"\xff\"",
                                  "\"\xc0\x80\"",
                                  "\"\xed\xa0\x80\"",
                                  "\"\xf5\x80\x80\x80\"",
                                  "\"\xe2\x82\"",
                                  "\xef\xbb\xbf\"bom\"",
                                  "1 2",
                                  "/* c */ 1",
                                  "[1]]"}) {
    EXPECT_FALSE(json_scan::fault_of(value).empty()) << value;
    EXPECT_FALSE(parse_jobs("{\"payload\": [" + value + (value.empty() ? ",]}" : "]}"), "t"))
        << value;
  }
  EXPECT_NE(json_scan::fault_of(deep).find("deeper"), std::string::npos);
  EXPECT_TRUE(json_scan::fault_of(std::string(64, '[') + std::string(64, ']')).empty());
  EXPECT_NE(json_scan::fault_of("[1, 2, tru]").find("byte 7"), std::string::npos);
}

TEST(JobJson, EachContradictionIsNamed) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {R"({"payload": "one", "payload": "two"})", "payload is given twice"},
      {R"({"payload": 1, "p\u0061yload": 2})", "payload is given twice"},
      {R"({"priority": 1, "priority": 1})", "priority is given twice"},
      {R"({"payload": "x", "payload_base64": "AAE="})", "payload and payload_base64"},
      {R"({"delay_ms": 5, "run_at": "2030-01-01T00:00:00Z"})", "delay_ms and run_at"},
      {R"({"delay": "5s", "run_at": "2030-01-01T00:00:00Z"})", "delay and run_at"},
      {R"({"delay": "5s", "delay_ms": 5})", "delay and delay_ms"},
      {R"({"delay": "90"})", "delay: '90' is not a duration"},
      {R"({"delay": 90})", "delay must be a string"},
      {R"({"delay_ms": "90"})", "delay_ms must be a number"},
      {R"({"delay_ms": -1})", "delay_ms must be a number"},
      {R"({"delay_ms": 99999999999999999999})", "delay_ms must be a number"},
      {R"({"priority": 1.0})", "priority"},
      {R"({"priority": 10})", "priority"},
      {R"({"max_attempts": 0})", "max_attempts"},
      {R"({"run_at": "2030-02-30T00:00:00Z"})", "run_at: '2030-02-30T00:00:00Z'"},
      {R"({"run_at": "2300-01-01T00:00:00Z"})", "run_at: a time after"},
      {R"({"run_at": 1893456000})", "run_at must be a string"},
      {R"({"key": 1})", "key must be a string"},
      {R"({"headers": 1})", "headers must be"},
      {R"({"headers": "{}"})", "headers must be an object"},
      {R"({"headers": {"a": 1}})", "'a' must be a string"},
      {R"({"headers": {"a": "1", "\u0061": "2"}})", "'a' is given twice"},
      {R"({"headers": {"": "1"}})", "empty"},
      {R"({"payload_base64": "AAF="})", "base64"},
      {R"({"Payload": "x"})", "unknown field 'Payload'"},
      {R"([{"payload": 1}, {"payload": 1, "payload": 2}])", "job 1: payload is given twice"},
      {R"("x")", "a job must be a JSON object"},
      {"[[]]", "a job must be a JSON object"},
  };
  for (const auto& [body, said] : cases) {
    const auto parsed = parse_jobs(body, "t");
    ASSERT_FALSE(parsed) << body;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid);
    EXPECT_NE(parsed.error().message.find(said), std::string::npos) << parsed.error().message;
  }
}

TEST(JobJson, HeadersAreAnObjectOfTexts) {
  const auto parsed = parse_jobs(
      R"({"headers": { "traceparent" : "00-1-2-01",
                       "b\u00e9" : "\"2\"" }, "delay": "1m30s"})",
      "t");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const std::map<std::string, std::string> headers{{"traceparent", "00-1-2-01"}, {"bé", "\"2\""}};
  EXPECT_EQ(parsed->jobs.front().headers, headers);
  EXPECT_EQ(parsed->jobs.front().delay, std::chrono::seconds(90));
  EXPECT_TRUE(parse_jobs(R"({"headers": {}})", "t")->jobs.front().headers.empty());
  JobView view;
  view.id = {"t", 0, 1};
  EXPECT_EQ(json_text(view).find("headers"), std::string::npos);
  view.headers = headers;
  EXPECT_NE(json_text(view).find(R"("headers":{"bé":"\"2\"","traceparent":"00-1-2-01"})"),
            std::string::npos)
      << json_text(view);
}

TEST(JobJson, ResultsThatAreNoTextAreShownInBase64) {
  JobView view;
  view.id = {"t", 0, 1};
  view.result = "{\"a\": 1.10}";
  EXPECT_NE(json_text(view).find(R"("result":"{\"a\": 1.10}")"), std::string::npos);
  view.result = "\xff\x00";
  EXPECT_NE(json_text(view).find(R"("result_base64":"/w==")"), std::string::npos);
}

TEST(Base64, IsTakenWholeOrNotAtAll) {
  for (const std::string bytes : {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc"}) {
    EXPECT_EQ(base64_decoded(base64_encoded(bytes)), bytes);
  }
  EXPECT_EQ(base64_decoded("YQ"), "a");
  for (const char* text : {"Y", "YQ=", "YR==", "Y===", "====", "YQ==YQ==", "Y Q=", "Y-_="}) {
    EXPECT_FALSE(base64_decoded(text)) << text;
  }
}

}  // namespace
}  // namespace millrace::gateway
