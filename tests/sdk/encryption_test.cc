// Encrypted payloads through a real broker: who can read them, and what becomes of those that
// nobody can.
#include "broker_process.h"
#include "event_log.h"
#include "payload_keys_folder.h"
#include "scripted_broker.h"
#include "wire/headers.h"

#include <gtest/gtest.h>
#include <millrace/client.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <future>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t added_by_encryption = 40;

// As a Producer with keys sends it.
struct SentJob {
  std::string payload;
  wire::Headers headers;
};

class Encryption : public PayloadKeysFolder {
 protected:
  // In the background, for messages that only a broker sees.
  static SentJob sent_with(const PayloadKeys& keys, const Job& job) {
    ScriptedBroker scripted;
    Producer producer({.connection = {.brokers = {scripted.endpoint}}, .payload_keys = keys});
    std::promise<Enqueued> told;
    producer.enqueue_async(job, [&told](const Enqueued& outcome) { told.set_value(outcome); });
    scripted.welcome();
    SentJob sent = sent_in(scripted.expect(wire::Verb::enqueue));
    scripted.answer(wire::EnqueueOk{.first_seq = 1, .count = 1});
    EXPECT_EQ(told.get_future().get().outcome, Outcome::stored);
    return sent;
  }
  static SentJob sent_in(const std::string& body) {
    const auto batch = wire::decode<wire::Enqueue>(body).value();
    const auto& job = batch.jobs.front();
    return {std::string(job.payload), wire::decode_headers(job.headers)};
  }
  [[nodiscard]] std::string said() {
    const std::lock_guard lock(mutex);
    return logged;
  }
  [[nodiscard]] ConnectionOptions at() {
    return {.brokers = {broker.endpoint()}, .log = [this](LogLevel, std::string_view sentence) {
              const std::lock_guard lock(mutex);
              logged.append(sentence).append("\n");
            }};
  }
  [[nodiscard]] JobId stored(const PayloadKeys& keys, Job job) {
    const auto told = Producer({.connection = at(), .payload_keys = keys}).enqueue(std::move(job));
    EXPECT_EQ(told.outcome, Outcome::stored) << told.error.message;
    return told.id;
  }
  // A worker whose handler records what it sees.
  [[nodiscard]] WorkerOptions worker_options(const PayloadKeys& keys) {
    return {.connection = at(), .concurrency = 1, .payload_keys = keys};
  }
  void handle(Worker& worker, const std::string& topic) {
    worker.handle(topic, [this](JobContext& job) {
      std::string names;
      for (const auto& [name, value] : job.headers()) names += name + "=" + value + " ";
      seen.add(std::string(job.payload()) + "|" + names);
      return done();
    });
  }
  void create(const std::string& topic, int max_attempts = 1) {
    ASSERT_TRUE(client.create_topic(
        topic,
        {.max_attempts = max_attempts, .backoff_min = 1ms, .backoff_max = 1ms, .history = true}));
  }
  // Of a job that has no attempts left after its first.
  [[nodiscard]] JobView end_of_job(const JobId& id) {
    auto view = client.wait(id, 60s);
    EXPECT_TRUE(view) << view.error().message;
    return view.value_or(JobView{});
  }
  // How many files of the broker contain it.
  [[nodiscard]] int files_with(const std::string& bytes) const {
    int count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(broker.folder())) {
      if (!entry.is_regular_file()) continue;
      if (text_of_file(entry.path()).find(bytes) != std::string::npos) ++count;
    }
    return count;
  }

  std::mutex mutex;    // guards what follows
  std::string logged;  // by all of them
  EventLog seen;
  BrokerProcess broker;
  Client client{{.connection = at()}};
};

TEST_F(Encryption, TheBrokerNeverHasThePlainText) {
  const auto mine = keys("a");
  create("t");
  const std::string secret = "the patient's name is Ada", open = "nothing to hide in here";
  const JobId id = stored(mine, {.topic = "t", .payload = secret, .headers = {{"trace", "7"}}});
  (void)stored({}, {.topic = "u", .payload = open});
  EXPECT_GE(files_with(open), 1);  // so the search finds what is there
  EXPECT_EQ(files_with(secret), 0);

  const auto theirs = client.job(id).value();
  EXPECT_FALSE(theirs.payload);
  EXPECT_EQ(theirs.encryption_key, mine.current());
  EXPECT_NE(theirs.payload_error.find("encrypted with key " + mine.current() +
                                      ", which this client does not have"),
            std::string::npos)
      << theirs.payload_error;
  EXPECT_EQ(theirs.payload_bytes, secret.size() + added_by_encryption);
  Client reader({.connection = at(), .payload_keys = mine});
  EXPECT_EQ(reader.job(id).value().payload, secret);
  EXPECT_EQ(reader.job(id).value().payload_error, "");
  const auto listed = reader.jobs({.topic = "t"}).value().jobs.front();
  EXPECT_FALSE(listed.payload);
  EXPECT_EQ(listed.encryption_key, mine.current());
  EXPECT_EQ(listed.payload_error, "");

  Worker worker(worker_options(mine));
  handle(worker, "t");
  ASSERT_TRUE(worker.start());
  EXPECT_EQ(end_of_job(id).state, State::completed);
  EXPECT_EQ(seen.count(secret + "|trace=7 "), 1);  // without the header of the SDK
  EXPECT_TRUE(worker.stop());
  EXPECT_EQ(broker.stop(), 0);
  EXPECT_EQ(files_with(secret), 0);
}

TEST_F(Encryption, AnEmptyPayloadIsEncryptedTooAndEqualOnesDiffer) {
  const auto mine = keys("a");
  const SentJob one = sent_with(mine, {.topic = "t"}), other = sent_with(mine, {.topic = "t"});
  EXPECT_EQ(one.payload.size(), added_by_encryption);
  EXPECT_NE(one.payload, other.payload);
  EXPECT_EQ(one.headers.at("millrace-encryption"), "xchacha20poly1305;key=" + mine.current());
}

TEST_F(Encryption, WithoutTheKeyAJobIsRetriedAndThenDead) {
  const auto mine = keys("a");
  create("t", 2);
  for (const PayloadKeys& theirs : {PayloadKeys{}, keys("b")}) {
    const JobId id = stored(mine, {.topic = "t", .payload = "secret"});
    Worker worker(worker_options(theirs));
    handle(worker, "t");
    ASSERT_TRUE(worker.start());
    const JobView view = end_of_job(id);
    EXPECT_EQ(view.state, State::dead);
    EXPECT_EQ(view.attempt, 2);
    EXPECT_NE(view.error.find("the payload is encrypted with key " + mine.current() +
                              ", which this worker does not have"),
              std::string::npos)
        << view.error;
    EXPECT_TRUE(worker.stop());
    EXPECT_EQ(worker.counts().retried, 2U);
  }
  EXPECT_EQ(seen.kinds(), 0U);
}

TEST_F(Encryption, ARetryFindsTheKeyThatHasCome) {
  const auto mine = keys("a");
  create("t", 1'000);
  const JobId id = stored(mine, {.topic = "t", .payload = "secret"});
  Worker without(worker_options({}));
  handle(without, "t");
  ASSERT_TRUE(without.start());
  while (client.job(id).value().error.empty()) std::this_thread::yield();
  EXPECT_TRUE(without.stop());
  Worker with(worker_options(mine));
  handle(with, "t");
  ASSERT_TRUE(with.start());
  EXPECT_EQ(end_of_job(id).state, State::completed);
  EXPECT_EQ(seen.count("secret|"), 1);
}

TEST_F(Encryption, WhatWasChangedOrMovedIsDiscarded) {
  auto mine = keys("a");
  ASSERT_TRUE(PayloadKeys::rotate(file("a")));
  mine = keys("a");
  const std::string other_id = mine.ids()[mine.ids()[0] == mine.current() ? 1 : 0];
  const SentJob sent = sent_with(mine, {.topic = "t", .payload = "secret"});
  create("t", 5);
  create("moved", 5);
  Worker worker(worker_options(mine));
  handle(worker, "t");
  handle(worker, "moved");
  ASSERT_TRUE(worker.start());
  const auto ends = [&](const std::string& topic, const std::string& payload,
                        const std::string& key) {
    wire::Headers headers{{"millrace-encryption", "xchacha20poly1305;key=" + key}};
    return end_of_job(stored({}, {.topic = topic, .payload = payload, .headers = headers}));
  };
  const auto discarded = [&](const std::string& topic, const std::string& payload,
                             const std::string& key) {
    const JobView view = ends(topic, payload, key);
    EXPECT_EQ(view.state, State::dead);
    EXPECT_EQ(view.attempt, 1);
    EXPECT_NE(view.error.find("cannot be decrypted with key " + key), std::string::npos)
        << view.error;
  };
  EXPECT_EQ(ends("t", sent.payload, mine.current()).state, State::completed);
  EXPECT_EQ(seen.count("secret|"), 1);
  discarded("moved", sent.payload, mine.current());
  discarded("t", sent.payload, other_id);
  for (const std::size_t at : {std::size_t{0}, std::size_t{24}, sent.payload.size() - 1}) {
    std::string changed = sent.payload;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    discarded("t", changed, mine.current());
  }
  discarded("t", sent.payload.substr(0, added_by_encryption - 1), mine.current());
  discarded("t", "", mine.current());
  EXPECT_EQ(seen.kinds(), 1U);
  EXPECT_EQ(seen.count("secret|"), 1);
}

TEST_F(Encryption, TheIdOfTheKeyIsBoundToThePayload) {
  const std::string key(64, '7');
  std::ofstream(file("twins")) << "current = \"one\"\n[keys]\none = \"" << key << "\"\ntwo = \""
                               << key << "\"\n";
  std::filesystem::permissions(file("twins"), std::filesystem::perms::owner_read);
  const auto twins = keys("twins");
  const SentJob sent = sent_with(twins, {.topic = "t", .payload = "secret"});
  Client reader({.connection = at(), .payload_keys = twins});
  const auto read_as = [&](const std::string& id) {
    const wire::Headers headers{{"millrace-encryption", "xchacha20poly1305;key=" + id}};
    return reader.job(stored({}, {.topic = "t", .payload = sent.payload, .headers = headers}));
  };
  EXPECT_EQ(read_as("one").value().payload, "secret");
  EXPECT_FALSE(read_as("two").value().payload);
  EXPECT_NE(read_as("two").value().payload_error.find("cannot be decrypted"), std::string::npos);
}

TEST_F(Encryption, AnUnknownKindOfEncryptionIsRetried) {
  create("t");
  Worker worker(worker_options(keys("a")));
  handle(worker, "t");
  ASSERT_TRUE(worker.start());
  for (const char* header : {"", "aes", "xchacha20poly1305;key=", "xchacha20poly1305;key=a b"}) {
    const JobView view =
        end_of_job(stored({}, {.topic = "t", .headers = {{"millrace-encryption", header}}}));
    EXPECT_NE(view.error.find("in a way that this worker does not know"), std::string::npos)
        << view.error;
    EXPECT_EQ(view.encryption_key, "");
  }
  EXPECT_TRUE(worker.stop());
  EXPECT_EQ(worker.counts().retried, 4U);
  EXPECT_EQ(seen.kinds(), 0U);
}

TEST_F(Encryption, AfterARotationBothKeysDecrypt) {
  const auto before = keys("a");
  const JobId old_job = stored(before, {.topic = "t", .payload = "of the first"});
  ASSERT_TRUE(PayloadKeys::rotate(file("a")));
  const auto after = keys("a");
  EXPECT_NE(after.current(), before.current());
  const JobId new_job = stored(after, {.topic = "t", .payload = "of the second"});
  Client reader({.connection = at(), .payload_keys = after});
  EXPECT_EQ(reader.job(old_job).value().payload, "of the first");
  EXPECT_EQ(reader.job(new_job).value().payload, "of the second");
  EXPECT_EQ(reader.job(old_job).value().encryption_key, before.current());
  EXPECT_EQ(reader.job(new_job).value().encryption_key, after.current());
  Client late({.connection = at(), .payload_keys = before});
  EXPECT_EQ(late.job(old_job).value().payload, "of the first");
  EXPECT_FALSE(late.job(new_job).value().payload);
}

TEST_F(Encryption, APayloadMayHaveFortyBytesLess) {
  const auto mine = keys("a");
  Producer producer({.connection = at(), .payload_keys = mine});
  const std::size_t most = (1U << 20) - added_by_encryption;
  EXPECT_EQ(producer.enqueue({.topic = "t", .payload = std::string(most, 'p')}).outcome,
            Outcome::stored);
  const auto told = producer.enqueue({.topic = "t", .payload = std::string(most + 1, 'p')});
  EXPECT_EQ(told.outcome, Outcome::rejected);
  EXPECT_EQ(told.error.code, ErrorCode::too_large);
  EXPECT_NE(told.error.message.find("must not be larger than 1048536 bytes"), std::string::npos)
      << told.error.message;
}

TEST_F(Encryption, ItsHeaderIsReservedAndCounts) {
  const auto mine = keys("a");
  Producer producer({.connection = at(), .payload_keys = mine});
  Job job{.topic = "t", .headers = {{"millrace-encryption", "mine"}}};
  EXPECT_NE(producer.enqueue(job).error.message.find("is set by the Producer"), std::string::npos);
  job.headers.clear();
  for (int i = 0; i < 32; ++i) job.headers["h" + std::to_string(i)] = "";
  const auto told = producer.enqueue(job);
  EXPECT_EQ(told.outcome, Outcome::rejected);
  EXPECT_NE(told.error.message.find("more than 32 headers, and the header millrace-encryption"),
            std::string::npos)
      << told.error.message;
  job.headers.erase("h0");
  EXPECT_EQ(producer.enqueue(job).outcome, Outcome::stored);
}

TEST_F(Encryption, AResendHasTheSameBytes) {
  ScriptedBroker scripted;
  Producer producer({.connection = {.brokers = {scripted.endpoint}}, .payload_keys = keys("a")});
  std::promise<Enqueued> told;
  producer.enqueue_async({.topic = "t", .payload = "secret"},
                         [&told](const Enqueued& outcome) { told.set_value(outcome); });
  scripted.welcome();
  const SentJob first = sent_in(scripted.expect(wire::Verb::enqueue));
  scripted.tell(wire::Verb::closing, wire::Closing{.reason = "test"});
  (void)scripted.expect(wire::Verb::hello);
  scripted.answer(wire::HelloOk{.broker = "test", .lease_ms = 30'000, .heartbeat_ms = 10'000});
  const SentJob second = sent_in(scripted.expect(wire::Verb::enqueue));
  EXPECT_EQ(first.payload, second.payload);
  EXPECT_EQ(first.headers, second.headers);
  scripted.answer(wire::EnqueueOk{.first_seq = 1, .count = 1});
  EXPECT_EQ(told.get_future().get().outcome, Outcome::stored);
}

TEST_F(Encryption, MiddlewareSeesPlainTextOnBothSides) {
  const auto mine = keys("a");
  create("t");
  std::string enqueued;
  Producer producer({.connection = at(),
                     .middleware = {[&enqueued](Job& job) -> Result<void> {
                       enqueued = job.payload;
                       job.payload += " changed";
                       return {};
                     }},
                     .payload_keys = mine});
  WorkerOptions options = worker_options(mine);
  options.middleware = {[this](JobContext& job, const Handler& next) {
    seen.add("middleware " + std::string(job.payload()));
    return next(job);
  }};
  Worker worker(options);
  handle(worker, "t");
  ASSERT_TRUE(worker.start());
  const auto told = producer.enqueue({.topic = "t", .payload = "secret"});
  EXPECT_EQ(end_of_job(told.id).state, State::completed);
  EXPECT_EQ(enqueued, "secret");
  EXPECT_EQ(seen.count("middleware secret changed"), 1);
  EXPECT_EQ(seen.count("secret changed|"), 1);
}

TEST_F(Encryption, PlainTextIsAcceptedUnlessEncryptionIsRequired) {
  const auto mine = keys("a");
  create("t", 5);
  {
    Worker worker(worker_options(mine));
    handle(worker, "t");
    ASSERT_TRUE(worker.start());
    EXPECT_EQ(end_of_job(stored({}, {.topic = "t", .payload = "open"})).state, State::completed);
  }
  WorkerOptions options = worker_options(mine);
  options.require_encryption = true;
  Worker strict(options);
  handle(strict, "t");
  ASSERT_TRUE(strict.start());
  const JobView refused = end_of_job(stored({}, {.topic = "t", .payload = "refused"}));
  EXPECT_EQ(refused.state, State::dead);
  EXPECT_EQ(refused.attempt, 1);
  EXPECT_NE(refused.error.find("the payload is not encrypted"), std::string::npos);
  EXPECT_EQ(end_of_job(stored(mine, {.topic = "t", .payload = "secret"})).state, State::completed);
  EXPECT_EQ(seen.kinds(), 2U);
  options.payload_keys = {};
  Worker wrong(options);
  handle(wrong, "t");
  EXPECT_NE(wrong.start().error().message.find("require_encryption needs payload_keys"),
            std::string::npos);
}

TEST_F(Encryption, NoKeyIsInALogOrAFileOfTheBroker) {
  const auto mine = keys("a"), theirs = keys("b");
  create("t");
  Worker worker(worker_options(theirs));
  handle(worker, "t");
  ASSERT_TRUE(worker.start());
  const std::string error = end_of_job(stored(mine, {.topic = "t", .payload = "secret"})).error;
  EXPECT_TRUE(worker.stop());
  EXPECT_EQ(broker.stop(), 0);
  EXPECT_GE(files_with(mine.current()), 1);
  for (const char* name : {"a", "b"}) {
    const std::string text = text_of_file(file(name));
    const std::string digits = text.substr(text.rfind("= \"") + 3, 64);
    ASSERT_EQ(digits.find_first_not_of("0123456789abcdef"), std::string::npos) << digits;
    std::string raw;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      raw += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    }
    const std::string told = said();
    for (const std::string& canary : {digits.substr(0, 16), raw.substr(0, 8)}) {
      EXPECT_EQ(files_with(canary), 0);
      EXPECT_EQ((told + error).find(canary), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace millrace::testing
