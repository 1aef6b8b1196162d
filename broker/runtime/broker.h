// One shard at work: receive, step, commit, send. Nothing leaves before the commit that made it
// true; after a failed commit nothing leaves at all, and run() says why it ended.
// Threads: everything on the thread that calls run(), except request_stop() and open_topics().
#pragma once

#include "core/engine.h"
#include "net/dispatcher.h"
#include "net/endpoint.h"
#include "net/replies.h"
#include "runtime/answers.h"
#include "runtime/death_watch.h"
#include "runtime/hooks.h"
#include "runtime/reader_thread.h"
#include "storage/store.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::runtime {

class EventLoop;

struct BrokerOptions {
  core::EngineOptions engine;
  Topology topology;                // this shard listens on its own entry
  std::vector<core::Topic> topics;  // from the configuration
  std::int64_t heartbeat_ms = core::heartbeat_ms_default;
  std::uint64_t disk_free_bytes_min = 64U << 20;
  std::string version;
  std::vector<std::unique_ptr<Hooks>> hooks;  // of this shard alone
};

class Broker {
 public:
  Broker(BrokerOptions options, std::unique_ptr<storage::Store> store);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Recovers and listens. Empty when well, else a sentence.
  [[nodiscard]] std::string start();
  // Until request_stop(): empty; or until a commit failed: why.
  [[nodiscard]] std::string run();
  void request_stop();
  // Opens topics and replaces the settings of those that exist, soon.
  void open_topics(std::vector<core::Topic> topics);

 private:
  struct Peer {
    core::SessionId session{};
    bool worker = false;
  };

  struct Waiter {
    RowQuestion question;
    std::int64_t until_mono_ms = 0;
  };

  void turn();
  void tick();
  void take(const net::Incoming& message);
  [[nodiscard]] bool disk_takes(std::size_t bytes);
  void welcome(const net::Incoming& message, const net::Parsed& parsed);
  void finish_turn();
  void commit(core::Effects&& effects);
  void release(const core::Effects& effects);
  void tell_hooks(const core::Event& event) const;
  void tell_hooks_of_tick() const;
  void open_topic(const core::Topic& topic);
  void woken();
  void run_loads(const std::vector<core::Load>& loads);
  // Questions about rows: broker_rows.cc
  [[nodiscard]] std::string start_reading();
  void look_up(const net::Asked& asked, const net::Lookup& lookup);
  [[nodiscard]] std::optional<RowQuestion> question_of(const net::Asked& asked,
                                                       const net::Lookup& lookup,
                                                       std::string* wrong) const;
  void ask_rows(RowQuestion question);
  void answer_rows();
  void answer_row(const RowAnswer& answer);
  void wake_waiters(const core::Event& event);
  void expire_waiters();
  void refuse(const net::Asked& asked, std::string_view code, std::string_view message);
  void refresh_facts();
  void fail(const std::string& why);
  void send(const std::string& peer, wire::Verb verb, std::uint64_t correlation,
            const std::string& body);
  [[nodiscard]] net::HelloFacts hello_facts() const;

  BrokerOptions options_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<core::Engine> engine_;
  net::Endpoint endpoint_;
  std::unique_ptr<EventLoop> loop_;
  core::Now now_, started_;
  core::Effects effects_;  // of the turn
  core::RequestId requests_ = 0;
  std::map<core::RequestId, net::Asked> asked_;
  std::map<std::string, Peer> peers_;                        // by routing id
  std::map<core::SessionId, std::string> routes_;            // worker sessions
  std::vector<std::pair<net::Asked, std::string>> answers_;  // of questions, sent with the turn
  ShardFacts facts_;
  DeathWatch deaths_;
  std::multimap<core::JobRef, Waiter> waiters_;
  std::uint64_t taken_bytes_ = 0;  // of enqueues, since the disk was looked at
  std::string failure_;
  bool again_ = false;  // loads brought commands: another turn at once
  std::atomic<bool> stop_{false};
  std::mutex topics_mutex_;                // guards topics_asked_
  std::vector<core::Topic> topics_asked_;  // by open_topics(), not yet opened
  std::unique_ptr<ReaderThread> reader_;   // last: its threads end first
};

}  // namespace millrace::runtime
