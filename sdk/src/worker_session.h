// A worker's session: credit, deliveries, outcomes.
//
// Credit: each shard gets a quota of deliveries; free credit and unsettled deliveries together are
// always the quota, so the broker never has more jobs in flight than this worker allows. An outcome
// grants its credit back in the message that carries it. A reconnect sets the credit to 0, and
// deliveries that are still held are not granted again.
// Threads: next() on handler threads; the User's members on the loop's thread; the rest on the
// thread that stops the worker.
#pragma once

#include "connection_core.h"
#include "delivery.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <unordered_map>
#include <vector>

namespace millrace {

class WorkerSession : Link::User {
 public:
  using Ref = std::shared_ptr<Delivery>;

  WorkerSession(ConnectionRef connection, int concurrency, int prefetch);
  ~WorkerSession() override;
  WorkerSession(const WorkerSession&) = delete;
  WorkerSession& operator=(const WorkerSession&) = delete;

  // Nothing runs when it says an error.
  [[nodiscard]] std::optional<Error> start(std::vector<std::string> topics);
  // Waits for a delivery; null once the queue is closed.
  [[nodiscard]] Ref next();
  // The same, for a handler that has ended a delivery.
  [[nodiscard]] Ref next(Ref ended, HandlerResult result);

  // No new deliveries; what has not started goes back.
  void drain();
  bool wait_idle(std::chrono::milliseconds patience);  // until no handler runs
  void wait_idle();
  void stop_running(StopReason reason);
  void close_queue();
  // After the handlers ended: waits until the broker has answered every outcome. False: it did not.
  [[nodiscard]] bool finish();

  // Until the token is stopped, the topics are refused for good, or drain() was called.
  void wait_end(std::stop_token until);
  [[nodiscard]] std::optional<Error> refused() const;

  [[nodiscard]] Worker::Counts counts() const;
  [[nodiscard]] bool connected() const;
  [[nodiscard]] bool inherited() const { return connection_->inherited(); }
  [[nodiscard]] bool here() const { return connection_->here(); }
  [[nodiscard]] const std::optional<Error>& wrong() const { return connection_->wrong(); }
  [[nodiscard]] Clock::time_point last_turn() const { return connection_->loop().last_turn(); }

  [[nodiscard]] const ConnectionOptions& settings() const { return connection_->options(); }

 private:
  struct Ended {
    Ref delivery;
    HandlerResult result;
  };
  struct Settling {
    std::vector<Ended> outcomes;
    Clock::time_point sent;
    std::uint64_t credit_back = 0;  // granted beyond the outcomes' own
  };
  struct ShardLink {
    bool subscribed = false, drained = false;  // asked for its topics; told that no more are wanted
    std::uint64_t subscribe = 0;               // of that question, until it is answered
    bool accepted = false;
    std::optional<Error> refused;                 // the last answer, if it was no
    Clock::time_point subscribe_after{};          // then; none: not again
    std::unordered_map<std::uint64_t, Ref> held;  // by token: taken, their outcome not answered
    std::vector<Ended> finished;                  // to be sent
    std::map<std::uint64_t, Settling> settling;   // by correlation
    std::uint64_t credit_back = 0;                // of deliveries whose outcome nobody wants
    Clock::time_point settle_after{};             // a refused SETTLE is said again a little later
    std::uint64_t goodbye = 0;
  };

  void on_ready(std::size_t index, const std::vector<std::uint64_t>& lost) override;
  void on_message(std::size_t index, const wire::Header& header, std::string_view body) override;
  void on_topology() override;
  std::vector<Held> held(std::size_t index) override;
  void on_turn(Clock::time_point now) override;
  [[nodiscard]] bool idle() override;

  static void say_again(ShardLink& shard, Settling& settling);
  void subscribe(std::size_t index);
  void take_subscribed(ShardLink& shard, const wire::Header& header, std::string_view body);
  void judge_refusals();
  void speak();
  void take(std::size_t index, std::string_view body);
  [[nodiscard]] Ref fresh();
  void recycle(Ref&& settled);
  [[nodiscard]] Ref take_ready(std::unique_lock<std::mutex>& lock);
  void revoke(std::size_t index, std::string_view body);
  void give_up(ShardLink& shard, std::uint64_t token, StopReason reason);
  void settled(ShardLink& shard, Settling& settling, const wire::Header& header,
               std::string_view body);
  [[nodiscard]] static std::vector<Ended> take_some(std::vector<Ended>& finished);
  void send_outcomes(std::size_t index, ShardLink& shard, Clock::time_point now);
  void send_progress(std::size_t index, ShardLink& shard);
  void watch_run_times(Clock::time_point now);
  void say_goodbye(std::size_t index, ShardLink& shard);
  // True: the loop's thread must be woken.
  bool end(ShardLink& shard, Ref&& delivery, HandlerResult result);
  [[nodiscard]] std::uint64_t quota() const;
  void count(HandlerResult::Kind kind);

  const std::uint64_t quota_all_;
  std::vector<std::string> topics_;  // fixed by start()
  mutable std::mutex mutex_;         // guards what follows
  std::condition_variable ready_changed_, idle_, settled_;
  std::condition_variable_any ended_;  // a change of draining_ or refused_
  std::optional<Error> refused_;
  std::deque<Ref> ready_;
  std::map<std::size_t, ShardLink> shards_;
  std::vector<Ref> running_;
  std::size_t waiting_ = 0;  // handler threads
  bool draining_ = false, closed_ = false, finishing_ = false;
  Worker::Counts counts_;
  // The loop's thread only.
  Clock::time_point progress_at_{};
  // User code that is due, run when mutex_ is free: it may ask us.
  std::vector<std::pair<Ref, StopReason>> stops_;
  std::string to_report_;
  std::vector<Ref> taken_;  // empty between messages, with room
  std::vector<Ref> spare_;  // settled, for deliveries to come
  const ConnectionRef connection_;
  Link link_;  // last: it is closed first
};

}  // namespace millrace
