// Every kind of tampering with an audit log is found: bytes, lines, files, the head.
#include "audit_kit.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <string>
#include <vector>

namespace millrace::audit {
namespace {

class Tampering : public AuditFolder {
 protected:
  // Ten lines in two files.
  void SetUp() override {
    auto log = open(2'000);
    ASSERT_NE(log, nullptr);
    add(*log, 1, 7);
    last_ = log->synced();
    log.reset();
    whole_ = files();
    ASSERT_EQ(whole_.size(), 3U) << "two files and the head";
    ASSERT_EQ(problems(), "");
  }
  void expect_found(const std::string& what) {
    EXPECT_NE(problems(), "") << what;
    restore(whole_);
  }
  void change_lines(const std::string& name, const std::string& what,
                    const std::function<void(std::vector<std::string>&)>& change) {
    auto lines = lines_of_text(whole_.at(name));
    change(lines);
    write(name, joined(lines));
    expect_found(name + ": " + what);
  }

  const std::string first_ = name_of(1), second_ = name_of(2);
  std::map<std::string, std::string> whole_;
  AuditLog::Synced last_;
};

TEST_F(Tampering, EachByteChangedIsFound) {
  for (const auto& [name, text] : whole_) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto bit = static_cast<unsigned>(at % 8);
      std::string other = text;
      other[at] = static_cast<char>(static_cast<unsigned char>(other[at]) ^ (1U << bit));
      write(name, other);
      ASSERT_NE(problems(), "") << name << " byte " << at << " bit " << bit;
    }
    write(name, text);
  }
  EXPECT_EQ(problems(), "");
}

TEST_F(Tampering, EachLineDroppedDoubledOrSwappedIsFound) {
  for (const auto& name : {first_, second_}) {
    const std::size_t count = lines_of_text(whole_.at(name)).size();
    ASSERT_GE(count, 2U);
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::ptrdiff_t>(i);
      change_lines(name, "dropped " + std::to_string(i),
                   [at](auto& lines) { lines.erase(lines.begin() + at); });
      change_lines(name, "doubled " + std::to_string(i), [at](auto& lines) {
        const std::string copy = lines[static_cast<std::size_t>(at)];
        lines.insert(lines.begin() + at, copy);
      });
      for (std::size_t j = i + 1; j < count; ++j) {
        change_lines(name, "swapped " + std::to_string(i) + " " + std::to_string(j),
                     [i, j](auto& lines) { std::swap(lines[i], lines[j]); });
      }
    }
  }
}

TEST_F(Tampering, ALineWithARightHashOfItsOwnIsFoundWhereverItIsInserted) {
  for (const auto& name : {first_, second_}) {
    const auto lines = lines_of_text(whole_.at(name));
    for (std::size_t i = 0; i <= lines.size(); ++i) {
      Line forged{.seq = 1, .time = test_time(), .entry = pause(99)};
      if (i > 0) forged.seq = decode(lines[i - 1].substr(0, lines[i - 1].size() - 1))->seq + 1;
      forged.prev = sha256("something else");
      const std::string text = encode(forged) + "\n";
      change_lines(name, "inserted at " + std::to_string(i), [&](auto& changed) {
        changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), text);
      });
      if (i == lines.size()) continue;
      change_lines(name, "replaced " + std::to_string(i), [&](auto& changed) {
        Line line = *decode(changed[i].substr(0, changed[i].size() - 1));
        line.entry.who = "nobody";
        changed[i] = encode(line) + "\n";  // its hash is right, and not what others refer to
      });
    }
  }
}

TEST_F(Tampering, FilesDroppedMovedAndJoinedAreFound) {
  std::filesystem::remove(folder_ + "/" + first_);
  EXPECT_NE(problems().find("the lines before are missing"), std::string::npos);
  restore(whole_);
  std::filesystem::remove(folder_ + "/" + second_);
  EXPECT_NE(problems().find("lines were removed from its end"), std::string::npos);
  restore(whole_);
  write(first_, whole_[second_]);
  write(second_, whole_[first_]);
  expect_found("exchanged");
  write(first_, whole_[first_] + whole_[second_]);
  std::filesystem::remove(folder_ + "/" + second_);
  EXPECT_NE(problems().find("stands within one"), std::string::npos);
  restore(whole_);
  std::filesystem::rename(folder_ + "/" + second_, folder_ + "/" + name_of(3));
  EXPECT_NE(problems().find("audit-00000002.jsonl: the file is missing"), std::string::npos);
  restore(whole_);
  write(first_, "");
  EXPECT_NE(problems().find("the file has no line"), std::string::npos);
}

TEST_F(Tampering, FilesThatWereMovedAwayOnPurposeAreNamedByTheirLastHash) {
  const auto lines = lines_of_text(whole_[first_]);
  const auto last_of_first = decode(lines.back().substr(0, lines.back().size() - 1));
  std::filesystem::remove(folder_ + "/" + first_);
  EXPECT_EQ(problems({.noted_hash = {}, .after_hash = last_of_first->hash}), "");
  EXPECT_NE(problems({.noted_hash = {}, .after_hash = sha256("other")}), "");
}

TEST_F(Tampering, AMissingHeadAndAMissingEndAreFound) {
  std::filesystem::remove(folder_ + "/head");
  EXPECT_NE(problems().find("head: the file is missing"), std::string::npos);
  restore(whole_);
  write("head", whole_["head"].substr(0, 100));
  expect_found("head truncated");
  auto lines = lines_of_text(whole_[second_]);
  lines.pop_back();
  write(second_, joined(lines));
  EXPECT_NE(problems().find("lines were removed from its end"), std::string::npos);
}

// Who removes the end and the head's file is found by a hash that stands elsewhere, alone.
TEST_F(Tampering, ANotedHashIsInTheLogOrItsEndWasChanged) {
  const auto report = verified({.noted_hash = last_.hash, .after_hash = {}});
  EXPECT_TRUE(report.intact());
  EXPECT_EQ(report.noted_seq, last_.seq);
  auto lines = lines_of_text(whole_[second_]);
  Line line = *decode(lines.back().substr(0, lines.back().size() - 1));
  line.entry.who = "nobody";
  lines.back() = encode(line) + "\n";
  write(second_, joined(lines));
  const Head head{line.seq, line.hash, 2, joined(lines).size()};
  write("head", encode(head));
  EXPECT_EQ(problems(), "") << "a whole chain that was made again looks right";
  EXPECT_NE(problems({.noted_hash = last_.hash, .after_hash = {}}).find("no line of the log has"),
            std::string::npos);
}

// The broker starts again, and says what it found in a line that nobody can remove unseen.
TEST_F(Tampering, AWriterThatFindsItsEndMissingSaysSoInTheLog) {
  auto lines = lines_of_text(whole_[second_]);
  lines.pop_back();
  write(second_, joined(lines));
  open();
  EXPECT_NE(problems().find("the head file named line " + std::to_string(last_.seq)),
            std::string::npos);
  restore(whole_);
  std::filesystem::remove(folder_ + "/head");
  open();
  EXPECT_NE(problems().find("the head file was missing"), std::string::npos);
  restore(whole_);
  write("head", "nonsense");
  open();
  EXPECT_NE(problems().find("the head file was damaged"), std::string::npos);
}

TEST_F(Tampering, AWriterDoesNotContinueBehindALineThatWasChanged) {
  std::string text = whole_[second_];
  text[text.size() - 200] ^= 1;
  write(second_, text);
  const auto log = AuditLog::open({.folder = folder_});
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().kind, FailureKind::damaged);
  EXPECT_NE(log.error().message.find("millrace audit verify"), std::string::npos);
  EXPECT_EQ(text_of(folder_ + "/" + second_), text) << "nothing was touched";
}

}  // namespace
}  // namespace millrace::audit
