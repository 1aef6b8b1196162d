// Somebody who looks at jobs that were acknowledged: JOB, EXPLAIN and WAIT, one question at a time.
#pragma once

#include "client.h"

#include <string>

namespace millrace::testing {

class Asker : public Client {
 public:
  Asker(Surroundings& around, std::size_t index);
  [[nodiscard]] bool idle() const override { return true; }

 protected:
  [[nodiscard]] wire::Role role() const override { return wire::Role::client; }
  void say_hello() override;
  void welcomed(const wire::HelloOk&) override {}
  void answered(std::uint64_t correlation, std::string_view body) override;
  void refused(std::uint64_t correlation, std::string_view code) override;
  void told(wire::Verb, std::string_view) override {}
  void act() override;
  void forget() override { asked_ = 0; }
  [[nodiscard]] std::int64_t patience_ms() const override { return 600; }

 private:
  void record_told(std::string_view state);

  std::uint64_t asked_ = 0;  // correlation of what is open; 0: nothing
  wire::Verb verb_{};
  std::string job_;
  std::int64_t asked_ms_ = 0, timeout_ms_ = 0;
};

}  // namespace millrace::testing
