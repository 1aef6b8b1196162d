// A small world around the real engine: a producer, workers as the SDK has them, a store that keeps
// what was committed, and messages that may be lost. An Action is one thing that may happen next;
// after each the world checks its invariants and throws a violation as a sentence. The model of a
// worker follows docs/protocol.md only.
#pragma once

#include "engine_test_kit.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace millrace::explore {

struct Bounds {
  int workers = 2, jobs = 2;
  std::uint32_t attempts_max = 2;
  int faults_max = 1'000;  // of one history: crashes, cuts, silences
  std::uint64_t credit = 2;
  bool releases = true, cancels = true;
  bool late_answers = false;  // storage answers loads later than in the turn that asked
  int commits_max = 0;        // commits under way at once; 0: each is answered in its own turn
};

enum class Kind : std::uint8_t {
  enqueue,        // job: sent, or sent again while unanswered
  hello,          // worker: opens its session and says what it holds
  receive,        // worker: takes the next message that is under way to it
  settle,         // worker, job, how
  cancel,         // job
  answer,         // storage answers its oldest load
  commit,         // storage answers its oldest commit, and what waited for the answer leaves
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
  bool fresh = false;        // answer: the rows of now, not those of when it was asked
  std::uint8_t commits = 0;  // answer, broker_dies: so many unanswered commits are on disk before
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
  struct Settling {
    std::uint64_t seq = 0;
    core::OutcomeKind how{};
    bool newest = false;  // no later delivery of the job had left when it was said
  };
  struct Worker {
    std::uint8_t life = 1;  // of its processes
    bool alive = true, connected = false, subscribed = false;
    std::uint64_t connection = 0;
    std::uint64_t credit_given = 0;              // that the broker has not used
    std::map<core::Token, std::uint64_t> holds;  // token, seq
    std::map<core::Token, Settling> settling;    // said to the broker, which has not answered
    std::deque<Message> inbox;
  };
  struct Job {  // what the world outside knows of it
    bool sent = false, stored = false;
    bool cancel_asked = false, cancel_answered = false, cancel_recorded = false,
         completion_answered = false;
    std::uint64_t seq = 0;
    core::Token newest = 0;  // of its deliveries in this life of the broker
  };

  // What a turn of the broker has to say, which leaves when its commit is answered.
  struct Turn {
    core::Effects effects;
    std::vector<std::uint64_t> connections;  // of the workers when it was stepped
    bool on_disk = false, answered = false;
  };
  // A load, and what storage would have answered at once.
  struct Asked {
    core::Load load;
    core::Command answer;
    std::set<std::uint64_t> changed;  // rows written since
    bool outdated = false;            // anything was
  };

  void add_losses(std::vector<Action>& all) const;
  // world_storage.cc
  void turn(core::Command command, bool broker_dies);
  void put_on_disk(Turn& turn);
  void put_on_disk(int commits);  // the oldest so many that are not
  void commit_answered();
  void leave();
  void answer_load(bool fresh, int commits);
  void storage_catches_up();
  [[nodiscard]] int not_on_disk() const;
  // world.cc
  void release(core::Effects& effects, const std::vector<std::uint64_t>& connections);
  void drop_ended(core::Delivery& delivery);
  void heard(const core::Reply& reply);
  void heard_of_settle(const core::Reply& reply);
  void crash();
  void pass(int silent, bool dies);
  void disconnect(Worker& worker);
  [[nodiscard]] Worker* listening(const core::SessionId& id,
                                  const std::vector<std::uint64_t>& connections);
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
  void add_loads(std::vector<std::uint64_t>& words) const;
  void add_turns(std::vector<std::uint64_t>& words, const Ranks& ranks) const;
  [[nodiscard]] std::uint64_t session_word(const core::SessionId& id) const;

  Bounds bounds_;
  core::EngineOptions options_;
  core::test::MemoryStore store_;
  std::unique_ptr<core::Engine> engine_;
  core::Now now_{1'000'000, 1'700'000'000'000};
  std::deque<Turn> turns_;   // that have not left
  std::deque<Asked> asked_;  // of storage, not answered
  std::vector<Worker> workers_;
  std::vector<Job> jobs_;
  core::Token newest_ = 0;
  std::map<std::uint64_t, std::uint32_t> given_;  // seq: deliveries that left, up to attempts_max
  int faults_ = 0;
};

}  // namespace millrace::explore
