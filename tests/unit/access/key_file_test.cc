// Files of keys: every mistake with its place, and what is written can be read.
#include "access/key_file.h"
#include "access/broker_key.h"
#include "access/key_text.h"
#include "access/secret_file.h"
#include "temporary_folder.h"
#include "wire/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <filesystem>
#include <string>
#include <vector>

namespace millrace::access {
namespace {

const std::string pub = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";  // of the examples of libzmq
const std::string hash(64, 'a');
const std::string well = "public_key = \"" + pub + "\"\nmay = [\"work\"]\ntopics = [\"mail.*\"]\n";

std::vector<std::string> mistakes(const std::string& text, const std::string& path = "web-1.toml") {
  std::vector<std::string> errors;
  const auto key = parse_key(path, text, errors);
  EXPECT_EQ(key.has_value(), errors.empty()) << text;
  return errors;
}

// Lines of a file that is complete but for one of them.
std::string without(const std::string& key, const std::string& line) {
  std::string text;
  if (key != "public_key") text += "public_key = \"" + pub + "\"\n";
  if (key != "may") text += "may = [\"work\"]\n";
  if (key != "topics") text += "topics = [\"mail.*\"]\n";
  return text + line;
}

struct Mistake {
  std::string text, error;
};

const std::string pattern_rule =
    " is not a topic pattern: 1 to 64 characters of A-Z a-z 0-9 . _ - and *, which stands for any "
    "characters";
const std::string date_rule =
    " must be a date (2027-01-31) or a time with an offset (2027-01-31T12:00:00Z), without quotes";
const std::string key_rule = "public_key must have the 40 characters that millrace keys new wrote";
const std::string hash_rule = "token_sha256 must have 64 hexadecimal digits, in lower case";

std::vector<Mistake> table() {
  return {
      {without("may", "may = [\"work\", \"boss\"]\n"),
       "3:16: unknown role 'boss'; roles are produce, work, look, operate, admin"},
      {without("may", "may = \"boss\"\n"),
       "3:7: unknown role 'boss'; roles are produce, work, look, operate, admin"},
      {without("may", "may = [1]\n"), "3:8: may must be a list of strings"},
      {without("may", "may = true\n"), "3:7: may must be a list of strings"},
      {without("may", ""),
       "1:1: may is missing: list the roles of this key, of produce, work, look, operate, admin"},
      {without("topics", "topics = [\"mail\", \"a b\"]\n"), "3:19: 'a b'" + pattern_rule},
      {without("topics", "topics = [\"\"]\n"), "3:11: ''" + pattern_rule},
      {without("topics", "topics = 7\n"), "3:10: topics must be a list of strings"},
      {without("topics", ""), "1:1: topics is missing: list patterns, or \"*\" for every topic"},
      {well + "expires = \"2027-01-31\"\n", "4:11: expires" + date_rule},
      {well + "expires = 2027\n", "4:11: expires" + date_rule},
      {well + "expires = 2027-01-31T12:00:00\n", "4:11: expires" + date_rule},
      {well + "revoked = 12:00:00\n", "4:11: revoked" + date_rule},
      {well + "revoked = \"yes\"\n", "4:11: revoked" + date_rule},
      {without("public_key", ""),
       "1:1: public_key or token_sha256 is missing: nobody could use this key"},
      {without("public_key", "public_key = \"abc\"\n"), "3:14: " + key_rule},
      {without("public_key", "public_key = \"\"\n"), "3:14: " + key_rule},
      {without("public_key", "public_key = \"" + pub.substr(1) + ";\"\n"), "3:14: " + key_rule},
      {without("public_key", "token_sha256 = \"" + hash.substr(1) + "\"\n"), "3:16: " + hash_rule},
      {without("public_key", "token_sha256 = \"" + std::string(64, 'A') + "\"\n"),
       "3:16: " + hash_rule},
      {well + "comment = 1\n", "4:11: comment must be a string"},
      {well + "expiry = 2027-01-31\n",
       "4:1: unknown key 'expiry'; known keys here: public_key, token_sha256, may, topics, "
       "expires, revoked, comment, quota"},
      {well + "quota = 5\n", "4:9: [quota] must be a table"},
      {well + "[quota]\nrate = 5\n",
       "5:1: unknown key 'rate'; known keys here: connections, enqueues_per_second"},
      {well + "[quota]\nconnections = 0\n",
       "5:15: connections must be a whole number from 1 to 9223372036854775807"},
      {well + "[quota]\nenqueues_per_second = 1.5\n",
       "5:23: enqueues_per_second must be a whole number from 1 to 9223372036854775807"},
      {well + "[quota]\nenqueues_per_second = -1\n",
       "5:23: enqueues_per_second must be a whole number from 1 to 9223372036854775807"},
  };
}

TEST(KeyFiles, EveryMistakeIsToldWithItsPlace) {
  for (const auto& [text, error] : table()) {
    EXPECT_EQ(mistakes(text), std::vector{"web-1.toml:" + error}) << text;
  }
}

TEST(KeyFiles, AnImpossibleDateAndWhatIsNoTomlAreToldWithTheirPlace) {
  for (const std::string line : {"expires = 2027-02-30", "expires = 2027-13-01",
                                 "expires = ", "= 1", "topics = [", "may = [\"work\"]"}) {
    const auto errors = mistakes(well + line + "\n");
    ASSERT_EQ(errors.size(), 1U) << line;
    EXPECT_EQ(errors[0].rfind("web-1.toml:4:", 0), 0U) << errors[0];
  }
}

TEST(KeyFiles, EveryMistakeOfOneFileIsToldAtOnce) {
  EXPECT_EQ(mistakes("may = [\"boss\"]\ntopics = [\"a b\"]\nexpires = 1\nx = 1\n").size(), 5U);
}

TEST(KeyFiles, NeedTheNameOfTheirKey) {
  const std::string rule =
      ":1:1: the file's name must be the key's name and .toml: 1 to 64 characters of A-Z a-z 0-9 "
      ". _ - that begin with a letter or digit";
  for (const std::string path : {"keys/web 1.toml", "keys/-a.toml", "keys/\xc3\xa9.toml"}) {
    EXPECT_EQ(mistakes(well, path), std::vector{path + rule});
  }
  const std::string path = "keys/" + std::string(65, 'a') + ".toml";
  EXPECT_EQ(mistakes(well, path), std::vector{path + rule});
  EXPECT_EQ(key_name_of("a/b/web.1.toml"), "web.1");
}

TEST(KeyFiles, HaveAtMost64KiBAnd64Patterns) {
  const std::string space(wire::secret_file_bytes_max - well.size() - 1, ' ');
  EXPECT_TRUE(mistakes(well + space + "\n").empty());
  EXPECT_EQ(mistakes(well + space + "\n\n"),
            std::vector<std::string>{"web-1.toml is larger than 64 KiB: it is no key file"});
  std::string patterns = "topics = [\"a\"";
  for (int i = 1; i < 64; ++i) patterns += ",\"a" + std::to_string(i) + "\"";
  EXPECT_TRUE(mistakes(without("topics", patterns + "]\n")).empty());
  EXPECT_EQ(mistakes(without("topics", patterns + ",\"b\"]\n")),
            std::vector<std::string>{"web-1.toml:3:10: a key must not have more than 64 topic "
                                     "patterns"});
}

Key read(const std::string& text) {
  std::vector<std::string> errors;
  auto key = parse_key("web-1.toml", text, errors);
  EXPECT_TRUE(key) << (errors.empty() ? text : errors[0]);
  return key.value_or(Key{});
}

TEST(KeyFiles, ADateIsTheMomentOfItsOffset) {
  EXPECT_EQ(read(well + "expires = 2027-01-31\n").expires_ms, 1'801'353'600'000);
  EXPECT_EQ(read(well + "expires = 2027-01-31T02:00:00+02:00\n").expires_ms, 1'801'353'600'000);
  EXPECT_EQ(read(well + "expires = 2027-01-31T00:00:00.25Z\n").expires_ms, 1'801'353'600'250);
  EXPECT_EQ(read(well).expires_ms, 0);
  EXPECT_EQ(read(well).revoked_ms, 0);
}

// The beginning of Unix time is a date like any other, and not a key that never expires.
TEST(KeyFiles, AKeyThatExpiredIn1970HasExpired) {
  for (const std::string date : {"1970-01-01", "1970-01-01T00:00:00Z", "1960-05-05"}) {
    EXPECT_NE(why_invalid(read(well + "expires = " + date + "\n"), 1'000), "") << date;
    EXPECT_NE(why_invalid(read(well + "revoked = " + date + "\n"), -9'000'000'000'000), "") << date;
  }
}

TEST(KeyFiles, ADateThatItsOffsetLeadsOutOfTheCalendarCanBeWrittenAgain) {
  for (const std::string date : {"9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00+12:00",
                                 "0999-05-05", "1969-12-31T23:59:59.5Z"}) {
    const Key key = read(well + "expires = " + date + "\n");
    EXPECT_EQ(write_key(read(write_key(key))), write_key(key)) << date;
  }
}

TEST(KeyFiles, WhatIsWrittenIsReadAsItWas) {
  Key key;
  key.name = "web-1";
  key.public_key = pub;
  key.token_sha256 = hash;
  key.may = {Role::produce, Role::work, Role::look, Role::operate, Role::admin};
  key.topics = {"mail.*", "*", "sms"};
  key.expires_ms = 1'801'353'600'000;
  key.revoked_ms = 1'700'000'000'000;
  key.quota = {7, 1'000};
  key.comment = "the \"web\" servers \\ of \xc3\xa9quipe";
  const Key back = read(write_key(key));
  EXPECT_EQ(back.name, key.name);
  EXPECT_EQ(back.public_key, key.public_key);
  EXPECT_EQ(back.token_sha256, key.token_sha256);
  EXPECT_EQ(back.may, key.may);
  EXPECT_EQ(back.topics, key.topics);
  EXPECT_EQ(back.expires_ms, key.expires_ms);
  EXPECT_EQ(back.revoked_ms, key.revoked_ms);
  EXPECT_EQ(back.quota.connections, key.quota.connections);
  EXPECT_EQ(back.quota.enqueues_per_second, key.quota.enqueues_per_second);
  EXPECT_EQ(back.comment, key.comment);
  EXPECT_EQ(write_key(back), write_key(key));
  // A comment stays on its line: what follows it cannot become a setting.
  key.comment = "x\"\nmay = [\"admin\"]\n\x7f\t";
  EXPECT_EQ(read(write_key(key)).comment, "x\" may = [\"admin\"]   ");
}

TEST(BrokerKeys, AreReadBackAndTheirMistakesNeverShowTheSecret) {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/broker.key";
  const auto keys = new_key_pair();
  ASSERT_TRUE(write_new_secret_file(path, write_broker_key(keys)));
  const auto back = read_broker_key(path);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->public_key, keys.public_key);
  EXPECT_EQ(back->secret_key, keys.secret_key);
  struct stat found {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  EXPECT_EQ(write_new_secret_file(path, "other").error().message,
            path + " exists already: move it away or choose another path");

  const std::string secret = keys.secret_key.substr(0, 39);
  for (const std::string& text :
       {"secret_key = \"" + secret + "\"\n", "secret_key = " + keys.secret_key + "\n",
        "secret_key = \"" + keys.secret_key + "\n", std::string("secret_key = 1\n"), std::string(),
        "secret_key = \"" + keys.secret_key + "\"\nname = \"x\"\n",
        "public_key = \"" + keys.secret_key + "\"\n"}) {
    ASSERT_TRUE(replace_file(path, text, 0600));
    const auto wrong = read_broker_key(path);
    ASSERT_FALSE(wrong) << text;
    EXPECT_EQ(wrong.error().message.rfind(path + ":", 0), 0U) << wrong.error().message;
    EXPECT_EQ(wrong.error().message.find(secret.substr(0, 12)), std::string::npos)
        << wrong.error().message;
  }
}

TEST(SecretFiles, AreRefusedWhenOthersCanReadThemAndWhenTheyAreNoFiles) {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/a.key";
  const auto why = [&] {
    const auto read = wire::read_secret_file(path);
    return read ? std::string() : read.error().message;
  };
  EXPECT_EQ(why(), path + " cannot be read: No such file or directory");
  for (const unsigned mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0601U}) {
    ASSERT_TRUE(replace_file(path, "x", 0600));
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(why(), path + " holds a secret and other users can access it: run chmod 600 on it");
  }
  ASSERT_TRUE(replace_file(path, std::string(wire::secret_file_bytes_max, 'x'), 0600));
  EXPECT_EQ(why(), "");
  ASSERT_TRUE(replace_file(path, std::string(wire::secret_file_bytes_max + 1, 'x'), 0600));
  EXPECT_EQ(why(), path + " is larger than 64 KiB: it is no key file");
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_EQ(why(), path + " is not a file");
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);  // nobody writes into it: the reader must not wait
  EXPECT_EQ(why(), path + " is not a file");
}

}  // namespace
}  // namespace millrace::access
