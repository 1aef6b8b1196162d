#include "program.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace millrace::testing {
namespace {

constexpr int exit_usage = 64;
constexpr std::uint64_t progress_lines = 10, violations_shown = 10;

[[noreturn]] void usage(const std::string& wrong, const std::vector<Option>& options) {
  std::fprintf(stderr, "%s\n", wrong.c_str());
  for (const Option& option : options) {
    std::fprintf(stderr, "  --%s%s  %s\n", option.name, option.flag ? "" : " N", option.what);
  }
  std::exit(exit_usage);
}

// What a process says to its parent: that a seed begins or went well, or a violation's text.
struct Message {
  std::uint64_t seed = 0;
  std::uint64_t bytes = 0;  // of the text that follows
  std::uint64_t kind = 0;   // 'b' begun, 'd' done, 'v' violation
};

struct Process {
  pid_t pid = 0;
  int from = -1;
  std::uint64_t seed = 0;  // at work on
  bool idle = true;
};

void say(int to, std::uint64_t kind, std::uint64_t seed, const std::string& text = {}) {
  const Message message{seed, text.size(), kind};
  std::string out(reinterpret_cast<const char*>(&message), sizeof message);
  out += text;
  if (::write(to, out.data(), out.size()) != static_cast<ssize_t>(out.size())) std::_Exit(1);
}

bool read_all(int from, void* to, std::size_t bytes) {
  for (std::size_t got = 0; got < bytes;) {
    const auto more = ::read(from, static_cast<char*>(to) + got, bytes - got);
    if (more <= 0) return false;
    got += static_cast<std::size_t>(more);
  }
  return true;
}

Process start(const SeedRuns& runs, std::uint64_t at,
              const std::function<Violation(std::uint64_t)>& run) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::abort();
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) {
    ::close(ends[1]);
    return {pid, ends[0], runs.first + at, true};
  }
  ::close(ends[0]);
  for (std::uint64_t i = at; i < runs.count; i += runs.processes) {
    const std::uint64_t seed = runs.first + i;
    say(ends[1], 'b', seed);
    if (runs.seconds_max != 0) ::alarm(static_cast<unsigned>(runs.seconds_max));
    const Violation violation = run(seed);
    say(ends[1], violation.empty() ? 'd' : 'v', seed, violation);
  }
  std::_Exit(0);
}

// The first violations; a bug that shows everywhere needs no thousand lines.
void report(const SeedRuns& runs, std::uint64_t seed, const std::string& what) {
  static std::uint64_t shown = 0;
  if (++shown > violations_shown) return;
  std::printf("VIOLATION seed %llu, commit %s: %s\n  again: %s --seed %llu --trace\n",
              static_cast<unsigned long long>(seed), source_commit().c_str(), what.c_str(),
              runs.program.c_str(), static_cast<unsigned long long>(seed));
  std::fflush(stdout);
}

}  // namespace

void read_options(int count, char** words, const std::vector<Option>& options) {
  for (int i = 1; i < count; ++i) {
    std::string word = words[i];
    std::string value;
    const auto equals = word.find('=');
    const bool inside = equals != std::string::npos;
    if (inside) {
      value = word.substr(equals + 1);
      word.resize(equals);
    }
    const auto found = std::find_if(options.begin(), options.end(), [&word](const Option& option) {
      return word == std::string("--") + option.name;
    });
    if (found == options.end()) usage("there is no option " + word + "; there are:", options);
    if (found->flag) {
      *found->value = 1;
      continue;
    }
    if (!inside && i + 1 < count) value = words[++i];
    char* end = nullptr;
    *found->value = std::strtoull(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0' || value.front() == '-') {
      usage(word + " takes a number; the options are:", options);
    }
  }
}

std::string source_commit() {
  const std::unique_ptr<FILE, int (*)(FILE*)> git(
      ::popen("git rev-parse --short HEAD 2>/dev/null", "r"), ::pclose);
  std::array<char, 64> line{};
  if (git == nullptr || std::fgets(line.data(), line.size(), git.get()) == nullptr) {
    return "unknown";
  }
  std::string commit = line.data();
  while (!commit.empty() && commit.back() == '\n') commit.pop_back();
  return commit;
}

std::uint64_t run_seeds(const SeedRuns& runs,
                        const std::function<Violation(std::uint64_t seed)>& run) {
  std::vector<Process> processes;
  for (std::uint64_t i = 0; i < std::min(runs.processes, runs.count); ++i) {
    processes.push_back(start(runs, i, run));
  }
  std::uint64_t done = 0, violations = 0, shown = 0;
  while (!processes.empty()) {
    std::vector<pollfd> polled;
    polled.reserve(processes.size());
    for (const Process& process : processes) polled.push_back({process.from, POLLIN, 0});
    if (::poll(polled.data(), polled.size(), -1) < 0) std::abort();
    for (std::size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      Process& process = processes[i];
      Message message;
      if (read_all(process.from, &message, sizeof message)) {
        std::string text(message.bytes, '\0');
        const bool whole = read_all(process.from, text.data(), text.size());
        process.seed = message.seed;
        process.idle = message.kind != 'b';
        if (message.kind == 'v' && whole) {
          ++violations;
          report(runs, message.seed, text);
        }
        if (message.kind != 'b') ++done;
        continue;
      }
      int status = 0;
      ::waitpid(process.pid, &status, 0);
      ::close(process.from);
      if (!process.idle || status != 0) {
        ++violations;
        ++done;
        report(runs, process.seed,
               WIFSIGNALED(status) ? "ended by signal " + std::to_string(WTERMSIG(status))
                                   : "ended with status " + std::to_string(status));
      }
      // The rest of its share goes on without that seed.
      const std::uint64_t next = process.seed - runs.first + runs.processes;
      const bool goes_on = status != 0 && !process.idle && next < runs.count;
      processes.erase(processes.begin() + static_cast<std::ptrdiff_t>(i));
      if (goes_on) processes.push_back(start(runs, next, run));
    }
    if (done * progress_lines / std::max<std::uint64_t>(1, runs.count) > shown) {
      shown = done * progress_lines / runs.count;
      const std::uint64_t so_far = done * runs.counts_each, all = runs.count * runs.counts_each;
      std::printf("%llu of %llu %s, %llu violations\n", static_cast<unsigned long long>(so_far),
                  static_cast<unsigned long long>(all), runs.unit.c_str(),
                  static_cast<unsigned long long>(violations));
      std::fflush(stdout);
    }
  }
  return violations;
}

}  // namespace millrace::testing
