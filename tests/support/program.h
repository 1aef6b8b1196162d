// Shared by the test programs that run by seeds: options, worker processes, and the last line.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace millrace::testing {

struct Option {
  const char* name;  // without the dashes
  std::uint64_t* value;
  const char* what;
  bool flag = false;  // takes no value; sets 1
};

// Reads --name VALUE and --name=VALUE. On a word it does not know it says what there is and exits
// with 64.
void read_options(int count, char** words, const std::vector<Option>& options);

// The commit of the source tree, as far as git tells.
[[nodiscard]] std::string source_commit();

// What one run of a seed has to say: empty when all held.
using Violation = std::string;

struct SeedRuns {
  std::string program;  // suite and options, to repeat a seed: "tests/run power"
  std::string unit;     // what a run counts: "seeds"
  std::uint64_t first = 1, count = 0, processes = 2;
  std::uint64_t seconds_max = 0;  // of one seed: it hangs beyond; 0: no bound
  std::uint64_t counts_each = 1;  // units a run stands for
};

// Runs each seed once, in processes of their own that share the seeds, and shows how far they are.
// A process that dies is a violation of the seed it was at. Returns the violations.
[[nodiscard]] std::uint64_t run_seeds(const SeedRuns& runs,
                                      const std::function<Violation(std::uint64_t seed)>& run);

}  // namespace millrace::testing
