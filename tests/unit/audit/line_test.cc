// A line of the audit log: what encode() writes decode() reads, whatever a client puts into it.
#include "audit/line.h"

#include "audit_kit.h"

#include <gtest/gtest.h>
#include <string>

namespace millrace::audit {
namespace {

Line line_of(Entry entry) { return {.seq = 7, .time = test_time(), .entry = std::move(entry)}; }

TEST(AuditLine, HasOneSpellingWhoseHashAnyProgramCanCheck) {
  Line line = line_of({.who = "ops", .from = "ipc", .verb = "pause", .on = "a \"topic\""});
  const std::string text = encode(line);
  const std::string body =
      R"({"seq":7,"time":"2026-11-30T00:53:20.123Z","who":"ops","from":"ipc","verb":"pause",)"
      R"("on":"a \"topic\"","result":"ok","message":"","prev":")" +
      std::string(no_hash) + "\"";
  EXPECT_EQ(text, body + ",\"hash\":\"" + sha256(body + "}") + "\"}");
  EXPECT_EQ(hash_of_line(text), line.hash);
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(AuditLine, WhatClientsSendIsEscapedReplacedAndCut) {
  EXPECT_EQ(escaped("a\"b\\c", 100), "a\\\"b\\\\c");
  EXPECT_EQ(escaped("a\nb\x7f", 100),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
  EXPECT_EQ(escaped("\xc2\x9b"
                    "31m",
                    100),
            "\xef\xbf\xbd"
            "31m")
      << "a control of eight bits";
  EXPECT_EQ(escaped("\xe2\x80\xae"
                    "x",
                    100),
            "\xef\xbf\xbd"
            "x")
      << "changes the direction";
  for (const char* wrong : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_NE(escaped(wrong, 100).find("\xef\xbf\xbd"), std::string::npos);
  }
  EXPECT_EQ(escaped("äöü€𝄞", 100), "äöü€𝄞");
  EXPECT_EQ(escaped("0123456789", 10), "0123456789");
  EXPECT_EQ(escaped("0123456789a", 10), "0123456\xe2\x80\xa6");
  EXPECT_EQ(escaped("012345\"\"\"\"", 10), "012345\xe2\x80\xa6") << "no half of an escape";
  EXPECT_EQ(escaped("012345€€", 10), "012345\xe2\x80\xa6") << "no half of a character";
}

TEST(AuditLine, IsAtMostEightKibibytesAndComesBack) {
  for (const char* piece : {"x", "\"", "\\", "\x01", "\xff", "€"}) {
    std::string text;
    while (text.size() < 100'000) text += piece;
    Line line = line_of({text, text, text, text, text, text});
    line.seq = ~0ULL;
    const std::string encoded = encode(line);
    EXPECT_LT(encoded.size(), line_bytes_max);
    auto back = decode(encoded);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->hash, line.hash);
    EXPECT_EQ(encode(*back), encoded);
  }
}

TEST(AuditLine, TimesBeyondFourDigitsOfAYearAreClamped) {
  EXPECT_EQ(time_text(WallTime(std::chrono::hours(-5))), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(time_text(WallTime::max()), "9999-12-31T23:59:59.999Z");
}

TEST(AuditLine, OtherSpellingsAreNoLines) {
  Line line = line_of({.who = "ops", .verb = "pause"});
  const std::string text = encode(line);
  ASSERT_TRUE(decode(text));
  for (const auto& [old, changed] : std::vector<std::pair<std::string, std::string>>{
           {"\"seq\":7", "\"seq\":07"},
           {"\"seq\":7", "\"seq\":0"},
           {"\"seq\":7", "\"seq\": 7"},
           {"\"seq\":7", "\"seq\":99999999999999999999"},
           {"2026-11-30", "2026-11-31"},
           {"T00:53:20", "T24:53:20"},
           {".123Z", "+00:00"},
           {"\"ops\"", "\"o\\ps\""},
           {"\"ops\"", "\"o\x01s\""},
           {"\"ops\"", "\"o\\\""},
           {"\"who\"", "\"Who\""},
           {"\"prev\":\"0", "\"prev\":\"G"},
           {"\"}", "\"} "},
           {"\"}", "\""}}) {
    std::string other = text;
    ASSERT_NE(other.find(old), std::string::npos) << old;
    other.replace(other.find(old), old.size(), changed);
    const auto read = decode(other);
    ASSERT_FALSE(read) << other;
    EXPECT_NE(read.error().message.find("its member \""), std::string::npos);
  }
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    EXPECT_FALSE(decode(text.substr(0, bytes))) << bytes;
  }
}

}  // namespace
}  // namespace millrace::audit
