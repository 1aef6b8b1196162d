// The writer: it continues its chain over restarts, crashes, new files and full disks, and gathers
// the lines of many threads.
#include "audit_kit.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <string>
#include <thread>
#include <vector>

namespace millrace::audit {
namespace {

class Log : public AuditFolder {};

TEST_F(Log, ContinuesItsChainOverRestarts) {
  for (int round = 0; round < 4; ++round) {
    auto log = open();
    ASSERT_NE(log, nullptr);
    add(*log, round * 3, 3);
  }
  EXPECT_EQ(problems(), "");
  const auto all = found();
  ASSERT_EQ(all.size(), 13U);
  EXPECT_EQ(all[0].line.entry.verb, verb_created);
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].line.seq, i + 1);
    EXPECT_EQ(all[i].line.entry.on, "topic-" + std::to_string(i - 1));
  }
}

TEST_F(Log, ItsFilesAreForTheirOwnerAlone) {
  auto log = open(2'000);
  add(*log, 1, 8);
  struct stat about {};
  for (const auto& [name, text] : files()) {
    ASSERT_EQ(::stat((folder_ + "/" + name).c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777U, 0600U) << name;
  }
  ASSERT_EQ(::stat(folder_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0700U);
}

TEST_F(Log, NothingIsOnDiskBeforeTheSyncAndAllAfterOne) {
  auto log = open();
  const auto before = files();
  ASSERT_TRUE(log->append({pause(1), pause(2)}));
  ASSERT_TRUE(log->append({pause(3)}));
  EXPECT_EQ(files(), before);
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(found({.who = "ops"}).size(), 3U);
  EXPECT_EQ(log->synced().seq, 4U);
  EXPECT_EQ(log->synced().hash, verified().last_hash);
}

TEST_F(Log, ANewFileBeginsWithTheNameAndTheHashOfTheOneBefore) {
  auto log = open(3'000);
  add(*log, 1, 40);
  log.reset();
  add(*open(3'000), 41, 40);
  EXPECT_EQ(problems(), "");
  const auto all = files();
  ASSERT_GT(all.size(), 5U);
  std::string hash(no_hash);
  for (std::uint64_t number = 1; all.contains(name_of(number)); ++number) {
    const auto lines = lines_of_text(all.at(name_of(number)));
    EXPECT_LE(all.at(name_of(number)).size(), 3'000U);
    const auto first = decode(lines.front().substr(0, lines.front().size() - 1));
    ASSERT_TRUE(first);
    EXPECT_EQ(first->prev, hash);
    EXPECT_EQ(first->entry.on, number == 1 ? "" : name_of(number - 1));
    hash = decode(lines.back().substr(0, lines.back().size() - 1))->hash;
  }
  EXPECT_EQ(found({.who = "ops"}).size(), 80U);
}

// All of one turn, over several files.
TEST_F(Log, LinesOfOneSyncMayFillSeveralFiles) {
  auto log = open(2'000);
  for (int n = 0; n < 50; ++n) ASSERT_TRUE(log->append({pause(n)}));
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(found({.who = "ops"}).size(), 50U);
}

TEST_F(Log, ATornEndIsMovedAndNamedAndIsNoTampering) {
  add(*open(), 1, 3);
  const auto whole = files();
  const std::string next = whole.at(name_of(1)).substr(0, 200);
  for (std::size_t bytes = 1; bytes < next.size(); bytes += 13) {
    restore(whole);
    write(name_of(1), whole.at(name_of(1)) + next.substr(0, bytes));
    EXPECT_EQ(problems(), "");
    ASSERT_EQ(verified().notes.size(), 1U) << bytes;
    EXPECT_NE(verified().notes[0].find(std::to_string(bytes) + " bytes"), std::string::npos);
    add(*open(), 4, 1);
    EXPECT_EQ(problems(), "");
    EXPECT_EQ(files().at("torn-after-line-4"), next.substr(0, bytes)) << "moved, not deleted";
    EXPECT_EQ(found({.verb = std::string(verb_tail_moved)}).size(), 1U);
    EXPECT_EQ(found({.who = "ops"}).size(), 4U);
    ASSERT_EQ(verified().notes.size(), 1U);
  }
}

// A disk that lost its power may have kept later blocks and not earlier ones.
TEST_F(Log, WhatWasNotSyncedMayHaveHolesAndIsMovedAsAWhole) {
  add(*open(), 1, 3);
  const auto head = files().at("head");
  const std::size_t synced = files().at(name_of(1)).size();
  add(*open(), 4, 3);
  auto all = files();
  all["head"] = head;
  for (std::size_t i = 0; i < 50; ++i) all[name_of(1)][synced + i] = '\0';
  restore(all);
  add(*open(), 7, 1);
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(found({.who = "ops"}).size(), 4U);
  EXPECT_EQ(files().at("torn-after-line-4"), all[name_of(1)].substr(synced));
}

TEST_F(Log, ACrashBesideANewFileOrTheFirstLineIsNoTampering) {
  open();
  std::filesystem::remove(folder_ + "/head");
  add(*open(), 1, 1);
  EXPECT_EQ(problems(), "") << "between the first line and the first head";
  write(name_of(2), "");
  EXPECT_EQ(problems(), "");
  add(*open(), 2, 1);
  EXPECT_EQ(problems(), "") << "between a new file and its first line";
  EXPECT_FALSE(files().at(name_of(2)).empty());
  write(name_of(3), "{\"seq\":");
  add(*open(), 3, 1);
  EXPECT_EQ(problems(), "") << "within the first line of a new file";
  EXPECT_EQ(found({.who = "ops"}).size(), 3U);
}

TEST_F(Log, FilesMayBeMovedAwayAndTheChainContinues) {
  auto log = open(2'000);
  add(*log, 1, 10);
  const auto last = log->synced();
  log.reset();
  for (const auto& [name, text] : files()) {
    if (name != "head") std::filesystem::remove(folder_ + "/" + name);
  }
  add(*open(2'000), 11, 1);
  EXPECT_EQ(problems({.noted_hash = {}, .after_hash = last.hash}), "");
  EXPECT_EQ(verified().first_seq, last.seq + 1);
}

TEST_F(Log, OneProcessWritesALog) {
  auto log = open();
  const auto second = AuditLog::open({.folder = folder_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, FailureKind::in_use);
  EXPECT_NE(second.error().message.find("stop the other broker"), std::string::npos);
}

TEST_F(Log, FoldersThatCannotBeAreErrorsWithTheirPlace) {
  const auto missing = AuditLog::open({.folder = base_ + "/no/audit"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find(base_ + "/no/audit"), std::string::npos);
  std::ofstream(base_ + "/file") << "x";
  const auto file = AuditLog::open({.folder = base_ + "/file"});
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message.find("Not a directory"), std::string::npos);
}

TEST_F(Log, LinesThatWaitAreBounded) {
  auto log = open();
  std::uint64_t added = 0;
  Expected<std::uint64_t> answer = 0;
  while (answer && added < 100'000) {
    answer = log->append({pause(1)});
    added += answer.has_value();
  }
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, FailureKind::overloaded);
  ASSERT_TRUE(log->sync());
  EXPECT_TRUE(log->append({pause(1)}));
  EXPECT_EQ(found({.who = "ops"}).size(), added) << "all or none of a call";
}

// A limit on the size of files stands for a full disk: the part that fits is written first.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_ = nullptr;
};

TEST_F(Log, AFullDiskIsAnErrorAndNothingIsLostOrTorn) {
  auto log = open();
  add(*log, 1, 3);
  const auto before = files();
  {
    const SizeLimit limit(before.at(name_of(1)).size() + 100);
    ASSERT_TRUE(log->append({pause(4)}));
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto done = log->sync();
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().kind, FailureKind::no_space);
      EXPECT_NE(done.error().message.find(name_of(1)), std::string::npos);
      EXPECT_EQ(files(), before) << "no part of a line is left";
      EXPECT_EQ(log->synced().seq, 4U);
    }
    ASSERT_TRUE(log->append({pause(5)}));
  }
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(found({.who = "ops"}).size(), 5U);
}

TEST_F(Log, ManyThreadsShareOneChain) {
  auto log = open(20'000);
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&log, t] {
      for (int n = 0; n < 50; ++n) {
        const auto seq = log->append({pause(t * 1'000 + n)});
        ASSERT_TRUE(seq);
        ASSERT_TRUE(log->sync());
        ASSERT_GE(log->synced().seq, *seq) << "its own line is on disk";
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(found({.who = "ops"}).size(), 400U);
}

// The child says each number after its sync; the chain is valid, and what was said is in it.
TEST_F(Log, Kill9LeavesAValidChainWithEverythingThatWasSynced) {
  std::uint64_t said = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto log = AuditLog::open({.folder = folder_, .file_bytes_max = 20'000});
      while (log) {
        const auto seq = (*log)->append({pause(round), pause(round)});
        if (!seq || !(*log)->sync()) ::_exit(1);
        if (::write(pipe_ends[1], &*seq, sizeof *seq) != sizeof *seq) ::_exit(1);
      }
      ::_exit(1);
    }
    ::close(pipe_ends[1]);
    const std::uint64_t until = said + 20 + static_cast<std::uint64_t>(round) * 7;
    bool alive = true;
    while (alive && said < until) {
      alive = ::read(pipe_ends[0], &said, sizeof said) == static_cast<ssize_t>(sizeof said);
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    while (::read(pipe_ends[0], &said, sizeof said) == static_cast<ssize_t>(sizeof said)) {
    }
    ::close(pipe_ends[0]);
    ASSERT_TRUE(alive) << "the writer ended by itself";
    ASSERT_EQ(problems(), "") << "round " << round;
    ASSERT_GE(verified().last_seq, said) << "synced and lost";
  }
  open();
  EXPECT_EQ(problems(), "");
}

}  // namespace
}  // namespace millrace::audit
