// The connections of one Producer, Worker or Client: a background thread, a socket a shard, HELLO,
// heartbeats, reconnects. What is sent and what must be sent again is the owner's business.
// Threads: start, stop and wake from any; Owner's members and send() on the link's thread only.
#pragma once

#include "process.h"
#include "times.h"
#include "topology.h"
#include "wire/messages.h"

#include <millrace/connection.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace millrace {

struct Held {
  std::string job;
  std::uint64_t token = 0;
};

class Link {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // HELLO was answered, for the first time or again: send what is unanswered.
    virtual void on_ready(std::size_t shard, const std::vector<std::uint64_t>& lost) = 0;
    virtual void on_lost(std::size_t /*shard*/) {}
    virtual void on_message(std::size_t shard, const wire::Header& header,
                            std::string_view body) = 0;
    virtual void on_topology() {}
    virtual std::vector<Held> held(std::size_t /*shard*/) { return {}; }
    // Each turn: after messages, after wake(), and at least each 100 ms, or each second while
    // idle().
    virtual void on_turn(Clock::time_point now) = 0;
    // Nothing to do but on a message or a wake().
    [[nodiscard]] virtual bool idle() = 0;
  };

  Link(ConnectionOptions options, wire::Role role, Owner& owner);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // What is wrong with the options, or why no thread was to be had. Then nothing is ever sent.
  [[nodiscard]] const std::optional<Error>& wrong() const { return wrong_; }
  void start();
  void stop();
  // In a child of the process that made this: call nothing else, and do not destroy it.
  [[nodiscard]] bool inherited() const { return mark_.inherited(); }
  // Whether the calling thread is this link's, or does its work inside an Inside.
  [[nodiscard]] bool here() const;
  class Inside {
   public:
    explicit Inside(const Link& link);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    const Link* before_;
  };
  void wake();

  std::uint64_t send(std::size_t index, wire::Verb verb, std::string body);
  void ask_topology(const std::vector<std::string>& topics);
  void reconnect(std::size_t shard);
  [[nodiscard]] bool ready(std::size_t shard) const;
  [[nodiscard]] bool all_ready() const { return all_ready_; }
  [[nodiscard]] Topology& topology() { return topology_; }
  [[nodiscard]] const Topology& topology() const { return topology_; }
  [[nodiscard]] const wire::Id& session() const { return session_; }
  [[nodiscard]] const ConnectionOptions& options() const { return options_; }
  [[nodiscard]] Clock::time_point last_turn() const { return Clock::time_point(last_turn_.load()); }

 private:
  struct Shard;
  void run();
  void open(Shard& shard);
  void close(Shard& shard, Clock::duration wait);
  void connect(Shard& shard);
  static void close_sockets(Shard& shard);
  [[nodiscard]] static bool disconnected(Shard& shard);
  void hello(Shard& shard);
  void keep_up(Shard& shard, Clock::time_point now);
  void receive(Shard& shard);
  void take(Shard& shard, const wire::Header& header, std::string_view body);
  void take_hello(Shard& shard, wire::Verb verb, std::string_view body);
  void take_topology(wire::Verb verb, std::string_view body);
  void wait_for_events();
  [[nodiscard]] Clock::duration rest() const;  // how long to wait for events at the most

  ConnectionOptions options_;
  const ProcessMark mark_;
  std::optional<Error> wrong_;
  wire::Role role_;
  Owner& owner_;
  wire::Id session_{};
  Topology topology_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::uint64_t correlations_ = 0;
  std::uint64_t topology_asked_ = 0;
  std::vector<std::string> topology_topics_;
  std::uint64_t monitors_ = 0;
  void* context_ = nullptr;
  int wake_fd_ = -1;
  std::atomic<bool> stop_{false}, all_ready_{false};
  std::atomic<bool> woken_{false};  // wake_fd_ is written and not yet read
  std::atomic<Clock::duration> last_turn_{};
  std::thread thread_;
};

[[nodiscard]] wire::Id random_id();

}  // namespace millrace
