// A small world around the real engine: a producer, workers as the SDK has them, a store that keeps
// what was committed, and messages that may be lost. An Action is one thing that may happen next;
// after each the world judges itself and a violation is thrown as a sentence.
// What the model of a worker knows comes from docs/protocol.md alone.
#pragma once

#include "engine_test_kit.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace millrace::explore {

struct Bounds {
  int workers = 2, jobs = 2;
  std::uint32_t attempts_max = 2;
  int faults_max = 1'000;  // of one history: crashes, cuts, silences
  std::uint64_t credit = 2;
  bool releases = true, cancels = true;
  bool late_answers = false;  // storage answers later than in the turn that asked
};

enum class Kind : std::uint8_t {
  enqueue,        // job: sent, or sent again while unanswered
  hello,          // worker: opens its session and says what it holds
  receive,        // worker: takes the next message that is under way to it
  settle,         // worker, job, how
  cancel,         // job
  answer,         // storage answers its oldest question
  tick,           // 250 ms pass
  tick_silent,    // 250 ms pass in which the worker is not heard
  cut,            // worker: its connection breaks; what is under way to it is lost
  worker_dies,    // worker: its process ends; nobody says so
  worker_starts,  // worker: a new process in its place
  death_told,     // worker: a supervisor reports the process that ended before
  broker_dies,    // and starts again with what was committed
};

struct Action {
  Kind kind = Kind::tick;
  std::uint8_t worker = 0, job = 0;
  core::OutcomeKind how = core::OutcomeKind::completed;
  core::Token token = 0;
  bool broker_dies = false;  // after the commit, before anything leaves it
  [[nodiscard]] std::string str() const;
};

struct Violation {
  std::array<char, 240> text{};
};
void demand(bool holds, const char* what, std::uint64_t number = 0);

class World {
 public:
  explicit World(Bounds bounds);

  [[nodiscard]] std::vector<Action> possible() const;
  void apply(const Action& action);
  // No fault happens any more: every job has to end. Changes the world.
  void demand_way_out();
  [[nodiscard]] std::uint64_t fingerprint() const;
  [[nodiscard]] int faults() const { return faults_; }

 private:
  struct Message {
    enum class What : std::uint8_t { opened, deliver, revoke } what{};
    std::vector<core::Delivered> jobs;
    std::vector<core::Token> tokens;  // lost, or revoked
  };
  struct Worker {
    std::uint8_t life = 1;  // of its processes
    bool alive = true, connected = false, subscribed = false;
    std::uint64_t connection = 0;
    std::uint64_t credit_given = 0;              // that the broker has not used
    std::map<core::Token, std::uint64_t> holds;  // token, seq
    std::deque<Message> inbox;
  };
  struct Job {  // what the world outside knows of it
    bool sent = false, stored = false;
    bool cancel_asked = false, cancel_answered = false, cancel_recorded = false,
         completion_answered = false;
    std::uint64_t seq = 0;
    core::Token newest = 0;  // of its deliveries in this life of the broker
  };

  void turn(core::Command command, bool broker_dies);
  void release(core::Effects& effects);
  void heard(const core::Reply& reply);
  void crash();
  void pass(int silent, bool dies);
  void disconnect(Worker& worker);
  [[nodiscard]] Worker* listening(const core::SessionId& id);
  void enqueue(int job, bool dies);
  void hello(int worker, bool dies);
  void receive(int worker);
  void settle(const Action& action);
  // world_judge.cc
  void judge() const;
  void judge_deaths(const core::ChangeSet& changes) const;
  void judge_job(const Job& job) const;
  [[nodiscard]] core::SessionId session(int worker, int life) const;
  [[nodiscard]] bool broker_knows(int worker, int life) const;
  [[nodiscard]] Job* job_of(std::uint64_t seq);
  // world_print.cc
  struct Ranks;
  [[nodiscard]] std::vector<std::uint64_t> worker_words(int worker, const Ranks& ranks) const;
  void add_job(std::vector<std::uint64_t>& words, const Job& job, const Ranks& ranks) const;
  void add_answers(std::vector<std::uint64_t>& words) const;

  Bounds bounds_;
  core::EngineOptions options_;
  core::test::MemoryStore store_;
  std::unique_ptr<core::Engine> engine_;
  core::Now now_{1'000'000, 1'700'000'000'000};
  std::deque<core::Command> answers_;  // of storage, under way
  std::vector<Worker> workers_;
  std::vector<Job> jobs_;
  core::Token newest_ = 0;
  int faults_ = 0;
  bool settled_ = false;  // what the last SETTLE was answered
  std::vector<core::Token> stale_;
};

}  // namespace millrace::explore
