// Deterministic simulation of the broker: simulation [--seeds N] [--from S] [--jobs P], or --seed S
// [--trace] [--minimise]. A seed is a world with at least five faults: lost, duplicated and late
// messages, crashes at any message and any disk operation, power losses, failing and full disks,
// clocks that jump, clients that stop, die or are malicious. Its history is checked by
// tests/checker. Seeds of tests/simulation/seeds.txt, which once failed, are run each time; one
// seed of a hundred is run twice, and both runs must be the same to the byte.
#include "world.h"

#include "program.h"

#include <spdlog/spdlog.h>
#include <cstdio>
#include <fstream>
#include <string>

namespace millrace::testing {
namespace {

constexpr std::uint64_t run_twice_each = 100;

Violation run_seed(std::uint64_t seed) {
  const Plan plan = make_plan(seed);
  const RunResult outcome = run_world(plan, false);
  if (!outcome.violation.empty()) return outcome.violation;
  if (seed % run_twice_each != 0) return {};
  const RunResult again = run_world(plan, false);
  return again.digest == outcome.digest ? "" : "a second run of the seed did something else";
}

std::vector<std::uint64_t> kept_seeds() {
  std::vector<std::uint64_t> seeds;
  std::ifstream file(MILLRACE_SEEDS_FILE);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') seeds.push_back(std::stoull(line));
  }
  return seeds;
}

// False: it fails again.
bool run_kept(std::uint64_t seed) {
  const Violation violation = run_seed(seed);
  if (violation.empty()) return true;
  std::printf(
      "VIOLATION seed %llu, commit %s: %s\n  again: tests/run simulation --seed %llu --trace\n",
      static_cast<unsigned long long>(seed), source_commit().c_str(), violation.c_str(),
      static_cast<unsigned long long>(seed));
  return false;
}

// Takes out each fault without which it still fails.
Plan minimised(Plan plan) {
  for (std::size_t at = plan.faults.size(); at-- > 0;) {
    Plan fewer = plan;
    fewer.faults.erase(fewer.faults.begin() + static_cast<std::ptrdiff_t>(at));
    const bool fails = !run_world(fewer, false).violation.empty();
    std::printf("without %s: %s\n", describe(plan.faults[at]).c_str(),
                fails ? "still fails" : "holds");
    if (fails) plan = fewer;
  }
  return plan;
}

int run_one(std::uint64_t seed, bool tracing, bool minimising) {
  Plan plan = make_plan(seed);
  if (minimising && !run_world(plan, false).violation.empty()) plan = minimised(plan);
  for (const Fault& fault : plan.faults) std::printf("fault: %s\n", describe(fault).c_str());
  const RunResult outcome = run_world(plan, tracing);
  std::printf("%s", outcome.violations.c_str());
  if (!outcome.violation.empty()) {
    std::printf("VIOLATION seed %llu, commit %s: %s\n", static_cast<unsigned long long>(seed),
                source_commit().c_str(), outcome.violation.c_str());
  }
  std::printf("%zu events, digest %016llx\n%d passed, %d failed\n", outcome.events,
              static_cast<unsigned long long>(outcome.digest), outcome.violation.empty() ? 1 : 0,
              outcome.violation.empty() ? 0 : 1);
  return outcome.violation.empty() ? 0 : 1;
}

}  // namespace
}  // namespace millrace::testing

int main(int count, char** words) {
  using namespace millrace::testing;
  std::uint64_t seeds = 20'000, from = 1, jobs = 2, seed = 0, trace = 0, minimise = 0;
  read_options(count, words,
               {{"seeds", &seeds, "how many (20000)"},
                {"from", &from, "the first (1)"},
                {"jobs", &jobs, "processes at once (2)"},
                {"seed", &seed, "this one alone"},
                {"trace", &trace, "say each step of it", true},
                {"minimise", &minimise, "first leave out the faults that do not matter", true}});
  spdlog::set_level(spdlog::level::off);
  if (seed != 0) return run_one(seed, trace != 0, minimise != 0);
  std::uint64_t violations = 0;
  const auto kept = kept_seeds();
  for (const std::uint64_t one : kept) violations += run_kept(one) ? 0 : 1;
  std::printf("%zu seeds that once failed: %llu violations\n", kept.size(),
              static_cast<unsigned long long>(violations));
  violations += run_seeds({.program = "tests/run simulation",
                           .unit = "seeds",
                           .first = from,
                           .count = seeds,
                           .processes = jobs,
                           .seconds_max = 60,
                           .counts_each = 1},
                          run_seed);
  const std::uint64_t all = seeds + kept.size();
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(all - violations),
              static_cast<unsigned long long>(violations));
  return violations == 0 ? 0 : 1;
}
