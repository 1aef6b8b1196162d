// One session with the shards of the brokers: a socket a shard, HELLO, heartbeats, reconnects, the
// topology. What is sent and what must be sent again is the business of its users: one worker, or
// the producers and clients of one Connection.
// Threads: add, remove and close from any; User's members and the rest on the loop's thread only.
#pragma once

#include "event_loop.h"
#include "key_file.h"
#include "topology.h"
#include "wire/messages.h"

#include <millrace/connection.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

struct Held {
  std::string job;
  std::uint64_t token = 0;
};

class Link : EventLoop::Source {
 public:
  class User {
   public:
    virtual ~User() = default;
    // HELLO was answered, for the first time or again: send what is unanswered.
    virtual void on_ready(std::size_t shard, const std::vector<std::uint64_t>& lost) = 0;
    // An answer to what this user sent, or what a broker says unasked.
    virtual void on_message(std::size_t shard, const wire::Header& header,
                            std::string_view body) = 0;
    virtual void on_topology() {}
    virtual std::vector<Held> held(std::size_t /*shard*/) { return {}; }
    // Each turn: after messages, after a wake of the loop, and at least each 100 ms, or each second
    // while all are idle().
    virtual void on_turn(Clock::time_point now) = 0;
    // Nothing to do but on a message or a wake.
    [[nodiscard]] virtual bool idle() = 0;

   private:
    friend class Link;
    std::uint64_t number_ = 0;  // among the users of a link: the high bits of its correlations
  };

  // key: null where no key is used; it outlives this.
  Link(EventLoop& loop, const ConnectionOptions& options, const KeyFile* key, wire::Role role);
  ~Link() override;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // The first one opens the connections. Returns at once.
  void add(User& user);
  // Afterwards none of its members is called any more.
  void remove(User& user);
  // Drops all users and closes the sockets.
  void close();

  std::uint64_t send(const User& from, std::size_t index, wire::Verb verb, std::string body) {
    return send_as(from.number_, index, verb, std::move(body));
  }
  void ask_topology(const std::vector<std::string>& topics);
  void reconnect(std::size_t shard);  // an answer does not come
  [[nodiscard]] bool ready(std::size_t shard) const;
  [[nodiscard]] bool all_ready() const { return all_ready_; }  // any thread
  [[nodiscard]] Topology& topology() { return topology_; }
  [[nodiscard]] const Topology& topology() const { return topology_; }

 private:
  struct ShardLink;
  void turn(Clock::time_point now) override;
  void add_to(std::vector<zmq_pollitem_t>& items) const override;
  [[nodiscard]] Clock::duration rest() override;
  void receive() override;

  void take_in(User& user);
  std::uint64_t send_as(std::uint64_t user, std::size_t index, wire::Verb verb, std::string body);
  void open(ShardLink& shard);
  void close(ShardLink& shard, Clock::duration wait);
  void connect(ShardLink& shard);
  static void close_sockets(ShardLink& shard);
  [[nodiscard]] bool use_key(ShardLink& shard);
  void lost(ShardLink& shard, int event);
  [[nodiscard]] Clock::duration jittered(Clock::duration wait);
  void hello(ShardLink& shard);
  void set_ready(ShardLink& shard, bool ready, LogLevel level = LogLevel::warning);
  void log(LogLevel level, const ShardLink& shard, const char* what) const;
  void keep_up(ShardLink& shard, Clock::time_point now);
  void receive_from(ShardLink& shard);
  void take(ShardLink& shard, const wire::Header& header, std::string_view body);
  void take_hello(ShardLink& shard, wire::Verb verb, std::string_view body);
  void take_topology(wire::Verb verb, std::string_view body);

  EventLoop& loop_;
  const ConnectionOptions& options_;
  const KeyFile* const key_;
  const wire::Role role_;
  std::atomic<bool> all_ready_{false};
  std::atomic<bool> used_{false};  // add() was called: there is something to close
  // The loop's thread only.
  std::minstd_rand random_;
  wire::Id session_;
  Topology topology_;
  std::map<std::uint64_t, User*> users_;
  std::uint64_t numbers_ = 0;
  std::vector<std::unique_ptr<ShardLink>> shards_;
  std::uint64_t correlations_ = 0;
  std::uint64_t topology_asked_ = 0;
  std::vector<std::string> topology_topics_;
};

[[nodiscard]] wire::Id random_id();

}  // namespace millrace
