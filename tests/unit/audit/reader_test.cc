// The reader: filters, the last lines of several files, and lines that are none.
#include "audit_kit.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace millrace::audit {
namespace {

class Reader : public AuditFolder {
 protected:
  void SetUp() override {
    auto log = AuditLog::open({.folder = folder_, .file_bytes_max = 2'000, .now = [this] {
                                 return test_time() + std::chrono::seconds(++lines_);
                               }});
    ASSERT_TRUE(log);
    for (int n = 0; n < 10; ++n) {
      const std::string topic = "topic-" + std::to_string(n);
      ASSERT_TRUE((*log)->append({{.who = "ops", .from = "ipc", .verb = "pause", .on = topic},
                                  {.who = "ci",
                                   .from = "10.0.0.7",
                                   .verb = "purge",
                                   .on = topic + "/0/17",
                                   .result = "forbidden",
                                   .message = "ci may not purge"}}));
      ASSERT_TRUE((*log)->sync());
    }
  }
  std::size_t count(const Filter& filter) { return found(filter).size(); }
  int lines_ = 0;
};

TEST_F(Reader, FiltersByEachField) {
  EXPECT_EQ(count({.who = "ops"}), 10U);
  EXPECT_EQ(count({.verb = "purge"}), 10U);
  EXPECT_EQ(count({.who = "ops", .verb = "purge"}), 0U);
  EXPECT_EQ(count({.who = "op"}), 0U);
  EXPECT_EQ(count({.on_prefix = "topic-3"}), 2U);
  EXPECT_EQ(count({.refused = true}), 10U);
  EXPECT_EQ(found({.refused = true})[0].line.entry.message, "ci may not purge");
}

TEST_F(Reader, SinceIsIncludedAndUntilIsNot) {
  const auto all = found();
  const WallTime third = all[2].line.time;
  EXPECT_EQ(count({.since = third}), all.size() - 2);
  EXPECT_EQ(count({.until = third}), 2U);
  EXPECT_EQ(count({.since = third, .until = third + std::chrono::milliseconds(1)}), 1U);
}

TEST_F(Reader, ALimitGivesTheLastOnesInOrder) {
  const auto all = found();
  ASSERT_GT(files().size(), 3U) << "of several files";
  for (std::size_t limit = 1; limit <= all.size() + 2; ++limit) {
    const auto last = found({.limit = limit});
    const std::size_t expected = std::min(limit, all.size());
    ASSERT_EQ(last.size(), expected);
    for (std::size_t i = 0; i < expected; ++i) {
      EXPECT_EQ(last[i].text, all[all.size() - expected + i].text);
    }
  }
  EXPECT_EQ(found({.who = "ci", .limit = 2})[1].line.entry.on, "topic-9/0/17");
}

TEST_F(Reader, WhatIsNoLineIsNamedAndTheOthersAreRead) {
  const auto whole = files();
  const std::size_t all = count({});
  auto lines = lines_of_text(whole.at(name_of(2)));
  lines[1] = std::string(100'000, 'x') + "\n";
  write(name_of(2), joined(lines) + "torn");
  std::size_t read_lines = 0;
  const auto findings = read(folder_, {}, [&read_lines](const Found&) { ++read_lines; });
  ASSERT_TRUE(findings);
  EXPECT_EQ(read_lines, all - 1);
  ASSERT_EQ(findings->size(), 1U) << "a torn end is not a finding";
  EXPECT_EQ((*findings)[0].file, name_of(2));
  EXPECT_EQ((*findings)[0].line, 2U);
}

TEST_F(Reader, WhereThereIsNoLogItSaysSo) {
  for (const auto& folder : {base_ + "/none", base_}) {
    const auto listed = read(folder, {}, [](const Found&) {});
    ASSERT_FALSE(listed);
    EXPECT_EQ(listed.error().kind, FailureKind::not_found);
    const auto report = verify(folder, {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, FailureKind::not_found);
    EXPECT_NE(report.error().message.find(folder), std::string::npos);
  }
}

}  // namespace
}  // namespace millrace::audit
