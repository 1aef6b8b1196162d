// An application with signal handlers and timers of its own: they run on its threads alone, and
// change nothing.
#include "broker_process.h"
#include "event_log.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <pthread.h>
#include <sys/time.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

thread_local volatile bool applications = false;
std::atomic<int> on_ours = 0, elsewhere = 0;

void count(int /*signal*/) {
  const int error = errno;
  ++(applications ? on_ours : elsewhere);
  errno = error;
}

// The words of a thread's line in its status file: which signals it blocks, as hex.
std::uint64_t blocked_by(const std::filesystem::path& thread) {
  std::ifstream status(thread / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigBlk:")) return std::stoull(line.substr(7), nullptr, 16);
  }
  return ~std::uint64_t{0};  // it has ended
}

// Threads but this one that would take a signal.
int takers(int signal) {
  int count = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    const bool own = thread.path().filename() == std::to_string(::gettid());
    if (!own && ((blocked_by(thread.path()) >> (signal - 1)) & 1) == 0) ++count;
  }
  return count;
}

class SignalsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    applications = true;
    others_ = takers(SIGALRM);  // a sanitizer's own
    struct sigaction action = {};
    action.sa_handler = count;  // without SA_RESTART: calls are interrupted
    sigaction(SIGALRM, &action, &alarm_before_);
    sigaction(SIGCHLD, &action, &child_before_);
    const itimerval each_ms{{0, 1'000}, {0, 1'000}};
    setitimer(ITIMER_REAL, &each_ms, nullptr);
  }
  void TearDown() override {
    const itimerval none{};
    setitimer(ITIMER_REAL, &none, nullptr);
    sigaction(SIGALRM, &alarm_before_, nullptr);
    sigaction(SIGCHLD, &child_before_, nullptr);
  }
  int others_ = 0;

 private:
  struct sigaction alarm_before_ = {}, child_before_ = {};
};

TEST_F(SignalsTest, OfTheApplicationRunOnItsThreadsAlone) {
  BrokerProcess broker;
  const ConnectionOptions at{.brokers = {broker.endpoint()}};
  Producer producer({.connection = at});
  Worker worker({.connection = at, .concurrency = 2});
  Client client({.connection = at});
  EventLog done_jobs;
  std::atomic<int> writes_that_failed = 0;
  worker.handle("t", [&](JobContext& job) {
    int pipe[2] = {};
    if (::pipe(pipe) != 0) return retry("no pipe");
    ::close(pipe[0]);  // SIGPIPE on a thread of ours is nobody's end
    writes_that_failed += ::write(pipe[1], "x", 1) < 0 && errno == EPIPE;
    ::close(pipe[1]);
    done_jobs.add(std::string(job.payload()));
    return done();
  });
  ASSERT_TRUE(worker.start());
  int jobs = 0;
  while (on_ours < 50 || jobs < 200) {
    const auto told = producer.enqueue({.topic = "t", .payload = std::to_string(jobs)});
    ASSERT_EQ(told.outcome, Outcome::stored) << told.error.message;
    if (++jobs % 20 == 0) {
      ::raise(SIGCHLD);
      ASSERT_TRUE(client.topics());
    }
  }
  EXPECT_TRUE(done_jobs.wait_for_kinds(std::size_t(jobs)));
  EXPECT_EQ(takers(SIGALRM), others_);
  EXPECT_EQ(takers(SIGPIPE), others_);
  EXPECT_TRUE(worker.stop());
  EXPECT_TRUE(producer.flush(60s));
  EXPECT_EQ(writes_that_failed, jobs);
  EXPECT_EQ(elsewhere, 0);
  EXPECT_EQ(broker.stop(), 0);
}

}  // namespace
}  // namespace millrace::testing
