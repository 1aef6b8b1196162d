// Model checking, every interleaving of a small world: explore [--workers W --jobs J] and bounds;
// see --help. Without a size, the worlds of the suite one after the other. Last line: N passed, N
// failed.
#include "search.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace millrace::explore;
using Clock = std::chrono::steady_clock;

constexpr int usage_error = 64;
constexpr const char* usage =
    "explore [--workers N] [--jobs N] [--attempts N] [--faults N] [--credit N] [--seconds N]\n"
    "        [--no-release] [--no-cancel] [--late-answers] [--commits N]\n"
    "  every interleaving of deliver, settle, release, cancel, lost connections and leases, "
    "deaths\n"
    "  of workers and of the broker, in a world of that size; --faults bounds the crashes, cuts\n"
    "  and silences of one history, --seconds the time (a bound that was met is said).\n"
    "  --late-answers: storage answers loads later than in the turn that asked; --commits: and\n"
    "  up to so many commits are under way at once.\n"
    "  Without a size: the worlds of the suite.\n";

struct Run {
  Bounds bounds;
  int seconds = 0;
  bool must_end = true;  // a bound of time is a failure: the world was to be seen whole
};

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "explore: %s\n%s", why.c_str(), usage);
  std::exit(usage_error);
}

int number(const char* option, const char* text, int lowest, int highest) {
  char* end = nullptr;
  const long value = text == nullptr ? 0 : std::strtol(text, &end, 10);
  if (text == nullptr || *text == '\0' || *end != '\0' || value < lowest || value > highest) {
    refuse(std::string(option) + " takes a number from " + std::to_string(lowest) + " to " +
           std::to_string(highest));
  }
  return static_cast<int>(value);
}

// Whole where the time allows; the last is as far as 15 s lead.
std::vector<Run> suite() {
  std::vector<Run> runs(8);
  runs[0].bounds.faults_max = 1;
  runs[1].bounds.faults_max = 2;
  runs[1].bounds.cancels = false;
  runs[1].bounds.attempts_max = 1;
  runs[2].bounds.workers = runs[2].bounds.jobs = 3;
  runs[2].bounds.faults_max = 0;
  runs[2].bounds.cancels = false;
  runs[3].bounds.workers = runs[3].bounds.jobs = 3;
  runs[3].bounds.faults_max = 1;
  runs[3].seconds = 15;
  runs[3].must_end = false;
  // Storage that answers late.
  for (std::size_t i = 4; i < runs.size(); ++i) {
    Bounds& bounds = runs[i].bounds;
    bounds.late_answers = true;
    bounds.faults_max = 1;
    (i % 2 == 0 ? bounds.jobs : bounds.workers) = 1;
  }
  runs[5].bounds.attempts_max = 1;
  runs[5].bounds.cancels = runs[5].bounds.releases = false;
  runs[5].bounds.commits_max = 1;
  runs[6].bounds.commits_max = 2;
  runs[7].bounds.faults_max = 0;
  runs[7].bounds.commits_max = 2;
  return runs;
}

Run from_options(int count, char** words) {
  Run run;
  for (int i = 1; i < count; ++i) {
    const std::string_view option = words[i];
    const char* next = i + 1 < count ? words[i + 1] : nullptr;
    if (option == "--no-release") {
      run.bounds.releases = false;
      continue;
    }
    if (option == "--no-cancel") {
      run.bounds.cancels = false;
      continue;
    }
    if (option == "--late-answers") {
      run.bounds.late_answers = true;
      continue;
    }
    if (option == "--workers") {
      run.bounds.workers = number("--workers", next, 1, 8);
    } else if (option == "--jobs") {
      run.bounds.jobs = number("--jobs", next, 1, 8);
    } else if (option == "--attempts") {
      run.bounds.attempts_max = static_cast<std::uint32_t>(number("--attempts", next, 1, 8));
    } else if (option == "--faults") {
      run.bounds.faults_max = number("--faults", next, 0, 1'000);
    } else if (option == "--credit") {
      run.bounds.credit = static_cast<std::uint64_t>(number("--credit", next, 1, 8));
    } else if (option == "--commits") {
      run.bounds.commits_max = number("--commits", next, 0, 8);
      run.bounds.late_answers |= run.bounds.commits_max > 0;
    } else if (option == "--seconds") {
      run.seconds = number("--seconds", next, 1, 1'000'000);
      run.must_end = false;
    } else if (option == "--help") {
      std::fputs(usage, stdout);
      std::exit(0);
    } else {
      refuse("no option is named '" + std::string(option) + "'");
    }
    ++i;
  }
  return run;
}

void show(const Run& run, const SearchResult& outcome, const char* how) {
  const Bounds& b = run.bounds;
  std::printf(
      "%d workers x %d jobs, %u attempts, %d faults%s%s%s: %llu states, %llu transitions, "
      "depth %zu%s\n",
      b.workers, b.jobs, b.attempts_max, b.faults_max, b.cancels ? "" : ", no cancel",
      b.late_answers ? ", late answers" : "",
      b.commits_max == 0 ? "" : (" to " + std::to_string(b.commits_max) + " commits").c_str(),
      static_cast<unsigned long long>(outcome.states),
      static_cast<unsigned long long>(outcome.transitions), outcome.depth, how);
  std::fflush(stdout);
}

bool passes(const Run& run) {
  Limits limits;
  if (run.seconds > 0) limits.until = Clock::now() + std::chrono::seconds(run.seconds);
  const SearchResult outcome =
      explore(run.bounds, limits, [&](const SearchResult& so_far) { show(run, so_far, " ..."); });
  if (!outcome.violation.empty()) {
    show(run, outcome, "");
    std::printf("VIOLATION: %s, after:\n", outcome.violation.c_str());
    for (std::size_t i = 0; i < outcome.path.size(); ++i) {
      std::printf("  %2zu %s\n", i + 1, outcome.path[i].str().c_str());
    }
    return false;
  }
  show(run, outcome, outcome.complete ? ": all of them" : ": stopped by the time allowed");
  return outcome.complete || !run.must_end;
}

}  // namespace

int main(int count, char** words) {
  const std::vector<Run> runs = count == 1 ? suite() : std::vector<Run>{from_options(count, words)};
  int passed = 0, failed = 0;
  for (const Run& run : runs) {
    const bool ok = passes(run);
    passed += ok;
    failed += !ok;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
