// Damage to the files of a broker that is not running: flipped bits, overwritten sectors, files cut
// short, pages in each other's place, a missing log. After each the store must refuse the file, or
// fail while it is read or checked, or hold exactly what it held before; other rows than those that
// were written, and rows that are silently missing, are violations.
//
// bitflip [--count N] [--seed N]      last line: N passed, N failed
#include "damage_kit.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <string_view>

namespace {

using namespace millrace::faults;

struct Options {
  std::uint64_t count = 500;
  std::uint64_t seed = static_cast<std::uint64_t>(
      std::chrono::system_clock::now().time_since_epoch().count() % 1'000'000);
};

bool read_number(const char* text, std::uint64_t& out) {
  const char* end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, out);
  return read.ec == std::errc() && read.ptr == end && out > 0;
}

bool read_options(int count, char** arguments, Options& out) {
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    std::uint64_t* to = name == "--count" ? &out.count : name == "--seed" ? &out.seed : nullptr;
    if (to == nullptr || !read_number(arguments[i + 1], *to)) return false;
  }
  return count % 2 == 1;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!read_options(count, arguments, options)) {
    std::fprintf(stderr, "usage: bitflip [--count N] [--seed N], N a whole number from 1 on\n");
    return 64;
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
  std::mt19937_64 rng(options.seed);
  DamageKit kit;
  std::map<std::string, std::uint64_t> ends;
  std::uint64_t failed = 0;
  for (std::uint64_t done = 1; done <= options.count; ++done) {
    const Trial trial = kit.try_damage(rng);
    ++ends[trial.how_seen.empty() ? "not seen, and nothing is missing" : trial.how_seen];
    if (!trial.violation.empty()) {
      std::printf("  violation: %s: %s\n", trial.what.c_str(), trial.violation.c_str());
      ++failed;
    }
    if (done * 10 / options.count > (done - 1) * 10 / options.count) {
      std::printf("  %llu of %llu damaged\n", static_cast<unsigned long long>(done),
                  static_cast<unsigned long long>(options.count));
      std::fflush(stdout);
    }
  }
  for (const auto& [how, number] : ends) {
    std::printf("  %6llu %s\n", static_cast<unsigned long long>(number), how.c_str());
  }
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(options.count - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
