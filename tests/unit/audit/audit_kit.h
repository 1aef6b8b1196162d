// What the tests of the audit log share: a folder of their own, a small log in it, and its files as
// texts that a test can change.
#pragma once

#include "audit/log.h"
#include "audit/reader.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace millrace::audit {

inline WallTime test_time() { return WallTime(std::chrono::milliseconds(1'796'000'000'123)); }

class AuditFolder : public testing::Test {
 protected:
  AuditFolder() {
    std::string name = testing::TempDir() + "audit-XXXXXX";
    base_ = ::mkdtemp(name.data());
    folder_ = base_ + "/audit";
  }
  ~AuditFolder() override { std::filesystem::remove_all(base_); }

  std::unique_ptr<AuditLog> open(std::uint64_t file_bytes_max = 64U << 20U) {
    auto log =
        AuditLog::open({.folder = folder_, .file_bytes_max = file_bytes_max, .now = test_time});
    EXPECT_TRUE(log) << log.error().message;
    return log ? std::move(*log) : nullptr;
  }

  static Entry pause(int n) {
    return {.who = "ops", .from = "ipc", .verb = "pause", .on = "topic-" + std::to_string(n)};
  }

  // Entries with numbers, each synced.
  static void add(AuditLog& log, int from, int count) {
    for (int n = from; n < from + count; ++n) {
      ASSERT_TRUE(log.append({pause(n)}));
      const auto done = log.sync();
      ASSERT_TRUE(done) << done.error().message;
    }
  }

  // The names of the log's own files and their bytes.
  std::map<std::string, std::string> files() {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().filename() != "lock") all[entry.path().filename()] = text_of(entry.path());
    }
    return all;
  }
  static std::string text_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary | std::ios::trunc) << text;
  }
  // Exactly these files.
  void restore(const std::map<std::string, std::string>& all) {
    for (const auto& [name, text] : files()) {
      if (!all.contains(name)) std::filesystem::remove(folder_ + "/" + name);
    }
    for (const auto& [name, text] : all) write(name, text);
  }

  Report verified(const Expectation& wanted = {}) {
    auto report = verify(folder_, wanted);
    EXPECT_TRUE(report) << report.error().message;
    return report ? std::move(*report) : Report{};
  }
  // All problems in one text; empty for an intact log.
  std::string problems(const Expectation& wanted = {}) {
    std::string all;
    for (const Finding& each : verified(wanted).problems)
      all += each.file + ": " + each.text + "\n";
    return all;
  }
  std::vector<Found> found(const Filter& filter = {}) {
    std::vector<Found> all;
    const auto done = read(folder_, filter, [&all](const Found& each) { all.push_back(each); });
    EXPECT_TRUE(done) << done.error().message;
    return all;
  }

  static std::vector<std::string> lines_of_text(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
      lines.push_back(text.substr(at, end - at));
      at = end;
    }
    return lines;
  }
  static std::string joined(const std::vector<std::string>& lines) {
    std::string all;
    for (const auto& line : lines) all += line;
    return all;
  }

  std::string base_, folder_;
};

}  // namespace millrace::audit
