// A shard with keys, on a real store and a real folder of keys; its clients are the test, which
// sees every message that leaves. Rows are read at once.
#pragma once

#include "access/key_file.h"
#include "access/key_ring.h"
#include "access/key_text.h"
#include "access/secret_file.h"
#include "runtime/shard.h"
#include "storage/sqlite_store.h"
#include "store_kit.h"
#include "wire/codec.h"

#include <gtest/gtest.h>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace millrace::runtime {

// An answer of the shard: its verb and its body, or of an error its code.
struct Said {
  wire::Verb verb = wire::Verb::heartbeat;
  std::uint64_t correlation = 0;
  std::string body;

  [[nodiscard]] std::string code() const {
    const auto error = wire::decode<wire::ErrorBody>(body);
    return verb == wire::Verb::error && error ? std::string(error->code) : "";
  }
  [[nodiscard]] std::string message() const {
    const auto error = wire::decode<wire::ErrorBody>(body);
    return verb == wire::Verb::error && error ? std::string(error->message) : "";
  }
};

// Answers with the rows as they are when it is asked.
class RowsAtOnce : public RowSource {
 public:
  explicit RowsAtOnce(std::unique_ptr<storage::Reader> reader) : reader_(std::move(reader)) {}
  [[nodiscard]] bool ask(RowQuestion question) override {
    auto rows = question.read(*reader_);
    answers_.push_back({std::move(question), std::move(rows)});
    return true;
  }
  [[nodiscard]] std::vector<RowAnswer> take_answers() override {
    return std::exchange(answers_, {});
  }
  [[nodiscard]] std::string verdict() const override { return "ok"; }

 private:
  std::unique_ptr<storage::Reader> reader_;
  std::vector<RowAnswer> answers_;
};

class KeyedShard : public ::testing::Test, public storage::InFolder, public ShardPort {
 protected:
  void SetUp() override {
    make_folder();
    std::filesystem::create_directory(folder_ + "/keys");
    ring_ = std::make_unique<access::KeyRing>(
        folder_ + "/keys",
        [this](const access::KeyTable& /*now*/, const access::KeyTable&) {
          const std::lock_guard lock(mutex_);
          ++news_;
          came_.notify_all();
        },
        std::chrono::milliseconds(5));
    open();
  }
  void TearDown() override {
    shard_.reset();
    ring_.reset();
    remove_folder();
  }

  // The process ends and another begins, on the same file.
  void restart() {
    shard_.reset();
    rows_.reset();
    open();
  }
  void open() {
    auto opened = storage::open_sqlite({.path = path_});
    ASSERT_TRUE(opened) << opened.error().message;
    ShardOptions options;
    options.topology = {{"ipc:///nowhere"}};
    options.advertised = {{"tcp://broker.example:7300"}};
    options.keys = ring_.get();
    options.engine.grace_ms = 0;
    for (const char* name : {"mail.in", "mail.out", "fax"}) {
      options.topics.push_back({0, name, {.partitions = 1, .history = true}, false});
    }
    shard_ = std::make_unique<Shard>(std::move(options), std::move(*opened), *this);
    ASSERT_EQ(shard_->start(now_), "");
    auto reader = shard_->store().reader();
    ASSERT_TRUE(reader);
    rows_ = std::make_unique<RowsAtOnce>(std::move(*reader));
    shard_->attach(*rows_);
  }

  // The key is written, and the ring has seen it.
  void put(const access::Key& key) {
    keys_[key.name] = key;
    change([&] {
      ASSERT_TRUE(access::replace_file(file_of(key.name), access::write_key(key), 0644));
    });
  }
  void remove(const std::string& name) {
    change([&] { std::filesystem::remove(file_of(name)); });
  }
  access::Key key(const std::string& name, std::vector<access::Role> may,
                  std::vector<std::string> topics) {
    access::Key made;
    made.name = name;
    made.public_key = access::new_key_pair().public_key;
    made.may = std::move(may);
    made.topics = std::move(topics);
    put(made);
    return made;
  }

  // A connection has a number, which is its routing id; key: empty for a client at ipc://.
  struct Connection {
    std::string peer, key;
  };
  static Connection connection(std::uint8_t number, std::string key = {}) {
    return {std::string("\0\0\0\0", 4) + static_cast<char>(number), std::move(key)};
  }
  // One message in a turn of its own, and what was said to its sender meanwhile.
  std::vector<Said> send_as(const Connection& from, wire::Verb verb, std::string body) {
    auto kept = std::make_shared<std::pair<std::string, std::string>>(
        wire::encode_header(verb, ++correlation_), std::move(body));
    net::Incoming message{.peer = from.peer,
                          .header = kept->first,
                          .body = kept->second,
                          .owner = kept,
                          .two_parts = true};
    if (!from.key.empty()) message.public_key = keys_.at(from.key).public_key;
    step([&] { shard_->take(message); });
    return std::exchange(said_[from.peer], {});
  }
  // The answer to one message.
  Said ask(const Connection& from, wire::Verb verb, const std::string& body) {
    for (auto& said : send_as(from, verb, body)) {
      if (said.correlation == correlation_) return said;
    }
    return {};
  }
  Said hello(const Connection& from, wire::Role role, std::uint8_t session,
             std::vector<std::pair<wire::JobRef, std::uint64_t>> held = {}) {
    wire::Hello message;
    message.role = role;
    message.session = id(session);
    message.name = from.key;
    message.held = std::move(held);
    return ask(from, wire::Verb::hello, wire::encode(message));
  }
  Said enqueue(const Connection& from, std::string_view topic, std::uint8_t producer = 0,
               std::uint64_t batch = 1, std::size_t jobs = 1) {
    wire::Enqueue message;
    message.topic = topic;
    message.jobs.resize(jobs);
    for (auto& job : message.jobs) job.payload = "secret of the job";
    if (producer != 0) message.producer = id(producer);
    message.epoch = producer == 0 ? 0 : 1;
    message.batch = producer == 0 ? 0 : batch;
    return ask(from, wire::Verb::enqueue, wire::encode(message));
  }
  Said subscribe(const Connection& from, std::vector<std::string_view> topics,
                 std::uint64_t credit) {
    return ask(from, wire::Verb::subscribe,
               wire::encode(wire::Subscribe{std::move(topics), credit}));
  }
  // Deliveries to a connection so far, as job and token.
  std::vector<std::pair<std::string, std::uint64_t>> deliveries(const Connection& to) {
    std::vector<std::pair<std::string, std::uint64_t>> jobs;
    for (const auto& body : std::exchange(delivered_[to.peer], {})) {
      const auto message = wire::decode<wire::Deliver>(body);
      EXPECT_TRUE(message);
      for (const auto& job : message->jobs) {
        jobs.emplace_back(wire::job_text(message->topic, 0, job.seq), job.token);
      }
    }
    return jobs;
  }
  // The timer of the shard, and the turn that it asks for.
  void tick(std::int64_t passed_ms = core::lease_tick_ms) {
    now_.mono_ms += passed_ms;
    now_.wall_ms += passed_ms;
    shard_->tick(now_, {}, {});
    step([] {});
  }
  static wire::Id id(std::uint8_t number) {
    wire::Id made{};
    made[0] = number;
    return made;
  }

  core::Now now_{1'000, 1'700'000'000'000};
  std::unique_ptr<access::KeyRing> ring_;
  std::unique_ptr<Shard> shard_;
  std::map<std::string, std::vector<Said>> said_;  // by peer
  std::uint64_t connections_ = 0;                  // of any key

 private:
  bool send(const std::string& peer, std::string_view header, std::string_view body) override {
    const auto read = wire::decode_header(header);
    EXPECT_TRUE(read);
    const auto verb = static_cast<wire::Verb>(read->verb);
    if (verb == wire::Verb::deliver) {
      delivered_[peer].emplace_back(body);
    } else {
      said_[peer].push_back({verb, read->correlation, std::string(body)});
    }
    return true;
  }
  std::uint64_t connections_of(std::string_view /*public_key*/) override { return connections_; }
  void worker_came(const net::Incoming& /*hello*/, const core::SessionId& /*session*/,
                   std::uint64_t /*pid*/) override {}
  void worker_went(const core::SessionId& /*session*/) override {}

  template <typename Do>
  void step(Do what) {
    now_.mono_ms += 1;
    now_.wall_ms += 1;
    shard_->begin_turn(now_);
    what();
    shard_->finish_turn();
    shard_->answer_rows(now_);
  }
  template <typename Do>
  void change(Do what) {
    std::unique_lock lock(mutex_);
    const auto before = news_;
    lock.unlock();
    what();
    lock.lock();
    ASSERT_TRUE(came_.wait_for(lock, std::chrono::seconds(30), [&] { return news_ > before; }));
  }
  [[nodiscard]] std::string file_of(const std::string& name) const {
    return folder_ + "/keys/" + name + ".toml";
  }

  std::unique_ptr<RowsAtOnce> rows_;
  std::map<std::string, access::Key> keys_;
  std::map<std::string, std::vector<std::string>> delivered_;
  std::uint64_t correlation_ = 0;
  std::mutex mutex_;  // guards news_
  std::condition_variable came_;
  std::uint64_t news_ = 0;
};

}  // namespace millrace::runtime
