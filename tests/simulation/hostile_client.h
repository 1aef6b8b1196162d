// A client that cancels jobs, and a malicious client: it settles jobs of other workers, sends
// another batch under a used number, claims deliveries that it never had, and sends invalid frames.
#pragma once

#include "client.h"

#include <map>
#include <set>
#include <string>

namespace millrace::testing {

class Canceller : public Bystander {
 public:
  Canceller(Surroundings& around, std::size_t index);

 protected:
  void answered(std::uint64_t correlation, std::string_view body) override;
  void refused(std::uint64_t correlation, std::string_view code) override;
  void act() override;
  void forget() override;

 private:
  void cancel(std::size_t at);

  // By their places among the acknowledged.
  std::map<std::uint64_t, std::size_t> asked_;
  std::set<std::size_t> unanswered_;  // sent again after the next HELLO, unchanged
  std::size_t next_ = 0;
};

class HostileClient : public Bystander {
 public:
  HostileClient(Surroundings& around, std::size_t index);
  void lie_until(std::int64_t ms) { lies_until_ms_ = ms; }

 protected:
  [[nodiscard]] wire::Role role() const override { return wire::Role::worker; }
  void say_hello() override;
  void answered(std::uint64_t correlation, std::string_view body) override;
  void refused(std::uint64_t correlation, std::string_view) override { asked_.erase(correlation); }
  void act() override;
  void forget() override { asked_.clear(); }

 private:
  void settle_of_others();
  void used_number();
  void nonsense();

  std::map<std::uint64_t, Overheard> asked_;  // settles
  std::int64_t lies_until_ms_ = 0;
  std::uint64_t made_ = 0;
};

}  // namespace millrace::testing
