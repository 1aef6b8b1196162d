// A client that queries acknowledged jobs, by JOB, EXPLAIN and WAIT, and all of them by JOBS; one
// query at a time.
#pragma once

#include "client.h"

#include <string>
#include <vector>

namespace millrace::testing {

class QueryClient : public Bystander {
 public:
  QueryClient(Surroundings& around, std::size_t index);

 protected:
  void answered(std::uint64_t correlation, std::string_view body) override;
  void refused(std::uint64_t correlation, std::string_view code) override;
  void act() override;
  void forget() override { asked_ = 0; }
  [[nodiscard]] std::int64_t patience_ms() const override { return 600; }

 private:
  void ask_for_one();
  void ask_for_all();
  void take_list(std::string_view body);
  void record(EventKind kind, const std::string& job, std::string_view state = {});

  std::uint64_t asked_ = 0;  // correlation of what is open; 0: nothing
  wire::Verb verb_{};
  std::vector<std::string> jobs_;  // that it asks about
  std::int64_t asked_ms_ = 0, timeout_ms_ = 0;
};

}  // namespace millrace::testing
