// check_history [--restored] FILE...: checks the history in files of JSON lines, merged by time
// when there are several. Prints each violation as a line (rule, job, observation), then the number
// of events. Exit 0: no violation; 1: violations; 64: usage error, or a line that is not an event.
#include "checker.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace {

using namespace millrace::testing;

constexpr int exit_usage = 64;

// False: the file cannot be read as a history, and it was said why.
bool read_file(const char* path, History& history) {
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path);
    return false;
  }
  std::string line;
  for (std::size_t at = 1; std::getline(file, line); ++at) {
    const std::string wrong = line.empty() ? "an empty line" : read_event(line, history);
    if (wrong.empty()) continue;
    std::fprintf(stderr, "%s:%zu: %s\n", path, at, wrong.c_str());
    return false;
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  const bool restored = count > 1 && std::strcmp(words[1], "--restored") == 0;
  const int first = restored ? 2 : 1;
  if (count <= first || words[first][0] == '-') {
    std::fprintf(stderr, "usage: check_history [--restored] FILE...\n");
    return exit_usage;
  }
  History history;
  for (int i = first; i < count; ++i) {
    if (!read_file(words[i], history)) return exit_usage;
  }
  if (count - first > 1) {
    std::stable_sort(history.begin(), history.end(),
                     [](const auto& a, const auto& b) { return a.t < b.t; });
  }
  const auto violations = restored ? check_restored(history) : check_history(history);
  for (const auto& [rule, job, what] : violations) {
    std::printf("%-9s %s: %s\n", rule.c_str(), job.empty() ? "-" : job.c_str(), what.c_str());
  }
  std::printf("%zu events, %zu violations\n", history.size(), violations.size());
  return violations.empty() ? 0 : 1;
}
