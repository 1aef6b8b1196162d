// What a key allows: topic patterns, roles, dates, and the ids that belong to it.
#include "access/key.h"
#include "access/bound_id.h"
#include "access/key_text.h"

#include <gtest/gtest.h>
#include <array>
#include <set>
#include <string>
#include <vector>

namespace millrace::access {
namespace {

Key with_topics(std::vector<std::string> patterns) {
  Key key;
  key.name = "web-1";
  key.topics = std::move(patterns);
  return key;
}

struct Pattern {
  std::string pattern, topic;
  bool covered;
};

std::vector<Pattern> patterns() {
  const std::string long_topic(64, 'a');
  return {
      {"mail", "mail", true},
      {"mail", "mail2", false},
      {"mail", "mai", false},
      {"mail", "Mail", false},
      {"mail", "", false},
      {"*", "mail", true},
      {"*", "a", true},
      {"mail.*", "mail.", true},
      {"mail.*", "mail.out", true},
      {"mail.*", "mail.out.slow", true},
      {"mail.*", "mail", false},
      {"mail.*", "email.out", false},
      {"*.out", "mail.out", true},
      {"*.out", "mail.out.out", true},
      {"*.out", "mail.outer", false},
      {"*.out", "mailXout", false},  // a point is a point
      {"a*b*c", "abc", true},
      {"a*b*c", "a.b.c", true},
      {"a*b*c", "abbbc", true},
      {"a*b*c", "abcbc", true},
      {"a*b*c", "acb", false},
      {"a*b*c", "abcd", false},
      {"a**c", "ac", true},
      {"a**c", "abc", true},
      {"**", "x", true},
      {"*a", "a", true},
      {"*aab", "aaab", true},  // the star takes one more where the rest does not fit
      {"*aab", "aaaba", false},
      {"*a*a*a*a*b", long_topic, false},
      {"*a*a*a*a*a", long_topic, true},
      {long_topic, long_topic, true},
      {long_topic, long_topic + "a", false},
  };
}

TEST(TopicPatterns, CoverWhatTheTableSays) {
  for (const auto& [pattern, topic, covered] : patterns()) {
    EXPECT_EQ(covers(with_topics({pattern}), topic), covered) << pattern << " " << topic;
  }
}

TEST(TopicPatterns, OneOfSeveralIsEnoughAndNoneCoversNothing) {
  EXPECT_TRUE(covers(with_topics({"sms", "mail.*"}), "mail.out"));
  EXPECT_TRUE(covers(with_topics({"sms", "mail.*"}), "sms"));
  EXPECT_FALSE(covers(with_topics({"sms", "mail.*"}), "fax"));
  EXPECT_FALSE(covers(with_topics({}), "mail"));
  EXPECT_FALSE(covers(with_topics({}), ""));
}

TEST(TopicPatterns, OnlyAStarAloneSeesEveryTopicOfTomorrow) {
  EXPECT_TRUE(covers_all(with_topics({"mail", "*"})));
  EXPECT_FALSE(covers_all(with_topics({"mail.*"})));
  EXPECT_FALSE(covers_all(with_topics({})));
}

TEST(TopicPatterns, HaveTheCharactersOfTopicsAndStars) {
  for (const std::string good : {"*", "a", "a*b", "A-z_0.9", "***"}) {
    EXPECT_TRUE(valid_pattern(good)) << good;
  }
  EXPECT_TRUE(valid_pattern(std::string(64, 'a')));
  for (const std::string bad : {"", "a b", "a?", "[a]", "a/b", "\xc3\xa9", "a,b"}) {
    EXPECT_FALSE(valid_pattern(bad)) << bad;
  }
  EXPECT_FALSE(valid_pattern(std::string(65, 'a')));
  EXPECT_FALSE(valid_pattern(std::string("a\0b", 3)));
}

TEST(KeyNames, AreFileNamesThatNoShellReadsOtherwise) {
  for (const std::string good : {"a", "web-1", "9.x_Y"}) EXPECT_TRUE(valid_key_name(good)) << good;
  EXPECT_TRUE(valid_key_name(std::string(64, 'a')));
  for (const std::string bad : {"", ".a", "-a", "_a", "a/b", "..", "a b", "a*"}) {
    EXPECT_FALSE(valid_key_name(bad)) << bad;
  }
  EXPECT_FALSE(valid_key_name(std::string(65, 'a')));
}

TEST(Roles, EveryNameIsReadBackAndNoOther) {
  for (const auto role : {Role::produce, Role::work, Role::look, Role::operate, Role::admin}) {
    const Role* const read = parse_role(role_name(role));
    ASSERT_NE(read, nullptr) << role_name(role);
    EXPECT_EQ(*read, role);
  }
  EXPECT_EQ(role_names(), "produce, work, look, operate, admin");
  for (const char* bad : {"", "Admin", "admin ", "root", "produce,work", "any", "none"}) {
    EXPECT_EQ(parse_role(bad), nullptr) << bad;
  }
}

constexpr std::int64_t noon_ms = 1'795'953'600'000;  // 2026-11-29T12:00:00Z

TEST(Dates, AKeyCountsUntilItsLastMillisecondAndItsSentenceNamesBothClocks) {
  Key key = with_topics({"*"});
  EXPECT_EQ(why_invalid(key, noon_ms), "");
  key.expires_ms = noon_ms;
  EXPECT_EQ(why_invalid(key, noon_ms - 1), "");
  EXPECT_EQ(why_invalid(key, noon_ms),
            "the key web-1 expired at 2026-11-29T12:00:00Z (the broker's clock says "
            "2026-11-29T12:00:00Z): make a new one with millrace keys new, or correct the clock");
  // A clock that is wrong by years is the other cause, so the sentence shows it.
  EXPECT_NE(
      why_invalid(key, 4'102'444'800'000).find("the broker's clock says 2100-01-01T00:00:00Z"),
      std::string::npos);
  EXPECT_EQ(why_invalid(key, 0), "");
  EXPECT_EQ(why_invalid(key, -1), "");
}

TEST(Dates, ARevokedKeyDoesNotCountWhateverTheClockSays) {
  Key key = with_topics({"*"});
  key.revoked_ms = noon_ms;
  const std::string sentence = "the key web-1 was revoked at 2026-11-29T12:00:00Z";
  for (const std::int64_t now : {std::int64_t{0}, noon_ms - 1, noon_ms, 2 * noon_ms}) {
    EXPECT_EQ(why_invalid(key, now), sentence) << now;
  }
  key.expires_ms = noon_ms + 1;
  EXPECT_EQ(why_invalid(key, 2 * noon_ms), sentence);
}

TEST(Rights, AreTheNameTheRolesAndTheTopics) {
  Key key = with_topics({"mail.*"});
  key.may = {Role::work};
  Key other = key;
  other.comment = "other words";
  other.expires_ms = noon_ms;
  other.quota.connections = 3;
  EXPECT_TRUE(same_rights(key, other));
  other.topics = {"mail"};
  EXPECT_FALSE(same_rights(key, other));
  other = key;
  other.may = {Role::produce};
  EXPECT_FALSE(same_rights(key, other));
  other = key;
  other.name = "web-2";
  EXPECT_FALSE(same_rights(key, other));
}

TEST(BoundIds, AreOfOneKeyAloneAndTheSameEachTime) {
  const wire::Id none{};
  wire::Id one{};
  one[15] = 1;
  std::set<wire::Id> seen;
  // Names that run into one another, and ids that differ in one bit.
  for (const std::string name : {"a", "b", "ab", "aa", ""}) {
    for (const wire::Id& id : {none, one}) {
      EXPECT_EQ(bound_id(name, id), bound_id(name, id));
      EXPECT_NE(bound_id(name, id), id);
      EXPECT_TRUE(seen.insert(bound_id(name, id)).second) << name;
    }
  }
  // The broker may restart, so the value must never change: SHA-256 of 16 zeros and "a".
  const wire::Id stored = bound_id("a", none);
  EXPECT_EQ(sha256_hex(std::string(16, '\0') + "a").substr(0, 8), [&] {
    std::string hex;
    for (int i = 0; i < 4; ++i) {
      hex += "0123456789abcdef"[stored[static_cast<std::size_t>(i)] >> 4U];
      hex += "0123456789abcdef"[stored[static_cast<std::size_t>(i)] & 15U];
    }
    return hex;
  }());
}

TEST(CurveKeys, AreFortyCharactersThatStandForThirtyTwoBytes) {
  const auto keys = new_key_pair();
  EXPECT_TRUE(valid_curve_key(keys.public_key));
  EXPECT_TRUE(valid_curve_key(keys.secret_key));
  EXPECT_EQ(public_key_of(keys.secret_key), keys.public_key);
  EXPECT_NE(new_key_pair().secret_key, keys.secret_key);
  std::string broken = keys.public_key;
  for (const char bad :
       {' ', '"', '\\', '\'', ',', ';', '_', '|', '~', '\n', '\x7f', '\xff', '\x01'}) {
    broken[7] = bad;
    EXPECT_FALSE(valid_curve_key(broken)) << static_cast<int>(bad);
  }
  broken[7] = '\0';
  EXPECT_FALSE(valid_curve_key(broken));
  EXPECT_FALSE(valid_curve_key(std::string(40, '#')));  // above 32 bits a group
  EXPECT_FALSE(valid_curve_key(keys.public_key.substr(1)));
  EXPECT_FALSE(valid_curve_key(keys.public_key + "00000"));
  EXPECT_FALSE(valid_curve_key(""));
  EXPECT_EQ(public_key_of("short"), "");
}

TEST(Tokens, AreNotRepeatedAndTheirHashIsThatOfSha256) {
  EXPECT_NE(new_token(), new_token());
  EXPECT_EQ(new_token().size(), 3U + 64U);
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace millrace::access
