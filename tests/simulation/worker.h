// A worker: takes jobs by credit, works on each for a while, settles it, resends what is
// unanswered, and lists on every HELLO the deliveries that it still holds.
#pragma once

#include "client.h"

#include <map>
#include <string>

namespace millrace::testing {

class Worker : public Client {
 public:
  Worker(Surroundings& around, std::size_t index);
  [[nodiscard]] bool idle() const override { return held_.empty() && unanswered_.empty(); }
  void slow_until(std::int64_t ms) { slow_until_ms_ = ms; }
  // GOODBYE, and another session.
  void leave();

 protected:
  [[nodiscard]] wire::Role role() const override { return wire::Role::worker; }
  void say_hello() override;
  void welcomed(const wire::HelloOk& answer) override;
  void answered(std::uint64_t correlation, std::string_view body) override;
  void refused(std::uint64_t, std::string_view) override {}
  void told(wire::Verb verb, std::string_view body) override;
  void act() override;
  void forget() override;

 private:
  struct Held {
    std::string job;
    std::int64_t ready_ms = 0;
  };
  struct Settling {
    std::string job, outcome;
    wire::OutcomeKind kind = wire::OutcomeKind::completed;
  };

  void delivered(const wire::Deliver& message);
  void decide(Token token, const Held& held);
  void send_settle(const std::vector<Token>& tokens, std::uint64_t credit);
  [[nodiscard]] wire::Hello hello_message() const;

  std::map<Token, Held> held_;
  std::map<Token, Settling> unanswered_;
  std::map<std::uint64_t, std::vector<Token>> asked_;  // by correlation
  std::int64_t slow_until_ms_ = 0;
  std::map<Token, bool> known_;
};

}  // namespace millrace::testing
