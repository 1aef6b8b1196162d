// A producer that stores its id over restarts: the contents of the file, its lock, and the messages
// to a broker.
#include "broker_process.h"
#include "child.h"
#include "scripted_broker.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace millrace::testing {
namespace {

// Asked at each fsync() of this process, where there is one: the file's path; false: it fails
// (EIO).
std::function<bool(const std::string&)> at_sync;

}  // namespace
}  // namespace millrace::testing

// Stands before the C library's.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int fsync(int fd) {
  using millrace::testing::at_sync;
  if (at_sync) {
    std::error_code wrong;
    const auto file =
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), wrong).string();
    if (!at_sync(file)) {
      errno = EIO;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

class IdFileTest : public ::testing::Test {
 protected:
  IdFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-id-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    path = folder + "/producer.id";
  }
  ~IdFileTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  [[nodiscard]] std::string content() const { return content(path); }
  [[nodiscard]] static std::string content(const std::string& of) {
    std::ifstream file(of);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& text) const { std::ofstream(path) << text; }
  [[nodiscard]] std::unique_ptr<Producer> producer(const std::string& endpoint) const {
    return std::make_unique<Producer>(
        ProducerOptions{.connection = {.brokers = {endpoint}, .log = [](auto, auto) {}},
                        .flush_at_destruction = 0ms,
                        .id_file = path});
  }
  // Why a start is refused.
  [[nodiscard]] Error refusal() const {
    return producer("ipc:///nowhere")->enqueue({.topic = "t"}).error;
  }

  std::string folder, path;
};

struct Stamp {
  std::string id;
  std::uint64_t epoch = 0, batch = 0;
};

// Of the first batch of a producer that the broker has not seen yet; it is
// stored.
Stamp stamp_of(ScriptedBroker& broker, Producer& producer) {
  auto told =
      std::async(std::launch::async, [&producer] { return producer.enqueue({.topic = "t"}); });
  broker.welcome();
  const std::string body = broker.expect(wire::Verb::enqueue);
  const auto batch = wire::decode<wire::Enqueue>(body).value();
  broker.answer(wire::EnqueueOk{.first_seq = 1, .count = 1});
  EXPECT_EQ(told.get().outcome, Outcome::stored);
  return {{batch.producer->begin(), batch.producer->end()}, batch.epoch, batch.batch};
}

TEST_F(IdFileTest, EachStartHasTheSameIdAndAHigherEpoch) {
  ScriptedBroker broker;
  const Stamp first = stamp_of(broker, *producer(broker.endpoint));
  EXPECT_EQ(first.epoch, 1U);
  struct stat about {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  EXPECT_EQ(content().substr(0, 20), "millrace-producer 1 ");
  EXPECT_TRUE(content().ends_with(" 1\n")) << content();

  ScriptedBroker next;
  const Stamp second = stamp_of(next, *producer(next.endpoint));
  EXPECT_EQ(second.id, first.id);
  EXPECT_EQ(second.epoch, 2U);
  EXPECT_EQ(second.batch, 1U);
  EXPECT_TRUE(content().ends_with(" 2\n")) << content();
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

// The new epoch in a file beside it, and then the folder in which that has taken its name: both
// before the constructor returns, so before anything is sent.
TEST_F(IdFileTest, IsOnTheDiskBeforeTheFirstUse) {
  (void)producer("ipc:///nowhere");
  const std::string before = content();
  const std::string after = before.substr(0, before.size() - 2) + "2\n";
  std::vector<std::string> synced;
  at_sync = [&](const std::string& file) {
    synced.push_back(std::filesystem::path(file).lexically_relative(folder).string());
    const bool last = file == folder;
    EXPECT_EQ(content(last ? path : file), after);
    EXPECT_EQ(content(), last ? after : before);
    return true;
  };
  const auto started = producer("ipc:///nowhere");
  at_sync = nullptr;
  EXPECT_EQ(synced, (std::vector<std::string>{"producer.id.new", "."}));
}

TEST_F(IdFileTest, ThatCannotBeSyncedIsRefused) {
  for (const std::string& failing : {path + ".new", folder}) {
    at_sync = [&failing](const std::string& file) { return file != failing; };
    const auto told = producer("ipc:///nowhere")->enqueue({.topic = "t"});
    at_sync = nullptr;
    EXPECT_EQ(told.outcome, Outcome::rejected);
    EXPECT_EQ(told.error.code, ErrorCode::unavailable);
    EXPECT_NE(told.error.message.find("'" + path + "' cannot be written: Input/output error"),
              std::string::npos)
        << told.error.message;
  }
  (void)producer("ipc:///nowhere");  // neither left it locked, or something that is no id_file
  EXPECT_TRUE(content().starts_with("millrace-producer 1 ")) << content();
}

TEST_F(IdFileTest, WithoutOneEachStartIsAnotherProducer) {
  ScriptedBroker broker, next;
  Producer first({.connection = {.brokers = {broker.endpoint}}});
  Producer second({.connection = {.brokers = {next.endpoint}}});
  EXPECT_NE(stamp_of(broker, first).id, stamp_of(next, second).id);
}

TEST_F(IdFileTest, IsNeverUsedByTwoAtOnce) {
  auto first = producer("ipc:///nowhere");
  const auto in_use = [this] {
    const Error error = refusal();
    return error.code == ErrorCode::unavailable &&
           error.message.find("'" + path + "' is in use by another Producer") != std::string::npos;
  };
  EXPECT_TRUE(in_use());
  EXPECT_EQ(end_of(forked(in_use)), 0);
  const std::string before = content();
  first.reset();
  auto second = producer("ipc:///nowhere");
  EXPECT_TRUE(in_use());
  EXPECT_NE(content(), before);
}

TEST_F(IdFileTest, OfAProcessThatWasKilledIsTakenOver) {
  EXPECT_EQ(end_of(forked([this] {
              (void)producer("ipc:///nowhere").release();
              return ::raise(SIGKILL) == 0;
            })),
            -SIGKILL);
  EXPECT_TRUE(content().ends_with(" 1\n"));
  std::ofstream(path + ".new") << "half a fi";  // of a start that was interrupted
  (void)producer("ipc:///nowhere");
  EXPECT_TRUE(content().ends_with(" 2\n")) << content();
}

TEST_F(IdFileTest, WhatIsNoneIsRefusedAndLeftAsItIs) {
  const std::string id = "00112233445566778899aabbccddeeff";
  for (const std::string& text :
       {std::string("my only copy"), std::string("millrace-producer 1 "),
        "millrace-producer 2 " + id + " 1\n", "millrace-producer 1 " + id + " 1",
        "millrace-producer 1 " + id + " 0\n", "millrace-producer 1 " + id + " -1\n",
        "millrace-producer 1 " + id + " 1 \n", "millrace-producer 1 " + id + "\n",
        "millrace-producer 1 " + id.substr(1) + "g 1\n",
        "millrace-producer 1 " + id + " 99999999999999999999\n",
        "millrace-producer 1 " + id + " " + std::string(200, '1') + "\n"}) {
    write(text);
    const Error error = refusal();
    EXPECT_EQ(error.code, ErrorCode::invalid) << text;
    EXPECT_NE(error.message.find("'" + path + "' is not an id_file"), std::string::npos);
    EXPECT_EQ(content(), text);
  }
  write("");  // an empty file counts as a missing one
  (void)producer("ipc:///nowhere");
  EXPECT_TRUE(content().ends_with(" 1\n"));
  write("millrace-producer 1 " + id + " 41\n");
  (void)producer("ipc:///nowhere");
  EXPECT_EQ(content(), "millrace-producer 1 " + id + " 42\n");
}

TEST_F(IdFileTest, ThatCannotBeIsNamed) {
  path = folder + "/missing/producer.id";
  Error error = refusal();
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  EXPECT_NE(error.message.find("'" + path + "' cannot be opened: No such file"), std::string::npos)
      << error.message;
  path = folder;
  EXPECT_NE(refusal().message.find("cannot be opened: Is a directory"), std::string::npos);
  path = folder + "/link";
  std::filesystem::create_symlink(folder + "/elsewhere", path);
  EXPECT_NE(refusal().message.find("cannot be opened"), std::string::npos);
  path = "/dev/null";
  EXPECT_EQ(refusal().code, ErrorCode::invalid);
}

// At a real broker: the next start stores jobs, and one that is enqueued again
// is another job.
TEST_F(IdFileTest, TheNextStartGoesOnAndWhatItEnqueuesAgainIsAnotherJob) {
  BrokerProcess broker;
  std::vector<JobId> ids;
  for (int start = 0; start < 3; ++start) {
    const auto told =
        producer(broker.endpoint())->enqueue({.topic = "t", .payload = "p", .key = "k"});
    ASSERT_EQ(told.outcome, Outcome::stored) << told.error.message;
    ids.push_back(told.id);
  }
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_NE(ids[1], ids[2]);
  Client client({.connection = {.brokers = {broker.endpoint()}}});
  EXPECT_EQ(client.topics("t").value().front().enqueued, 3U);
  EXPECT_EQ(broker.stop(), 0);
}

// A newer start elsewhere (the file was copied) has fenced this one off.
TEST_F(IdFileTest, AFencedProducerSaysRejectedOnlyOfWhatWasSentOnce) {
  ScriptedBroker broker;
  const auto old = producer(broker.endpoint);
  std::promise<Enqueued> once, twice;
  old->enqueue_async({.topic = "t"}, [&once](const Enqueued& told) { once.set_value(told); });
  broker.welcome();
  (void)broker.expect(wire::Verb::enqueue);
  broker.refuse("stale");
  const Enqueued told_once = once.get_future().get();
  EXPECT_EQ(told_once.outcome, Outcome::rejected);
  EXPECT_EQ(told_once.error.code, ErrorCode::stale);

  old->enqueue_async({.topic = "t"}, [&twice](const Enqueued& told) { twice.set_value(told); });
  (void)broker.expect(wire::Verb::enqueue);
  broker.tell(wire::Verb::closing, wire::Closing{.reason = "test"});
  (void)broker.expect(wire::Verb::hello);
  broker.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
  (void)broker.expect(wire::Verb::enqueue);
  broker.refuse("stale");
  const Enqueued told_twice = twice.get_future().get();
  EXPECT_EQ(told_twice.outcome, Outcome::unknown);
  EXPECT_EQ(told_twice.error.code, ErrorCode::stale);
}

}  // namespace
}  // namespace millrace::testing
