// A producer: numbered batches, up to two open at a time, resent until they are answered.
#pragma once

#include "client.h"

#include <deque>
#include <string>
#include <vector>

namespace millrace::testing {

class Producer : public Client {
 public:
  Producer(Surroundings& around, std::size_t index, std::size_t jobs);
  [[nodiscard]] bool idle() const override { return made_ >= jobs_ && open_batches_.empty(); }
  // What is open at the end has no answer.
  void give_up();

 protected:
  [[nodiscard]] wire::Role role() const override { return wire::Role::producer; }
  void say_hello() override;
  void welcomed(const wire::HelloOk& answer) override;
  void answered(std::uint64_t correlation, std::string_view body) override;
  void refused(std::uint64_t correlation, std::string_view code) override;
  void told(wire::Verb, std::string_view) override {}
  void act() override;
  void forget() override;

 private:
  struct Job {
    std::string tag, payload, key;
    std::uint64_t priority = 5;
    std::optional<std::uint64_t> run_at_ms, attempts_max;
  };
  struct Batch {
    std::uint64_t number = 0, correlation = 0, tries = 0;
    std::uint16_t partition = 0;
    std::int64_t again_ms = 0;  // after a refusal
    std::vector<Job> jobs;
  };

  void make_batch();
  Job make_job(const std::string& key);
  void send(Batch& batch);
  void end(const std::deque<Batch>::iterator& batch, EventKind how, std::string_view code);
  [[nodiscard]] std::deque<Batch>::iterator find(std::uint64_t correlation);

  std::size_t jobs_, made_ = 0;
  wire::Id id_{};
  std::uint64_t batches_ = 0;
  std::int64_t next_ms_ = 0;
  std::deque<Batch> open_batches_;
};

}  // namespace millrace::testing
