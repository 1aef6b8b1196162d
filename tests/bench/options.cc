#include "options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace millrace::bench {

void give_up(const std::string& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::exit(1);
}

void wrong_usage(const std::string& why) {
  constexpr int exit_usage = 64;
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::exit(exit_usage);
}

Options::Options(int count, char** arguments, const std::vector<std::string>& known) {
  std::string keys;
  for (const auto& key : known) keys += " " + key + "=";
  if (count < 2) wrong_usage("the mode is missing, then options of" + keys);
  mode_ = arguments[1];
  for (int i = 2; i < count; ++i) {
    const std::string word = arguments[i];
    const auto equals = word.find('=');
    const std::string key = word.substr(0, equals);
    if (equals == std::string::npos || std::find(known.begin(), known.end(), key) == known.end()) {
      wrong_usage(keys.insert(0, word + " is none of"));
    }
    values_[key] = word.substr(equals + 1);
  }
}

std::string Options::text(const std::string& key, const std::string& otherwise) const {
  const auto found = values_.find(key);
  return found == values_.end() ? otherwise : found->second;
}

std::uint64_t Options::number(const std::string& key, std::uint64_t otherwise) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return otherwise;
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(found->second.c_str(), &end, 10);
  if (found->second.empty() || *end != '\0') wrong_usage(key + "= takes a whole number");
  return value;
}

}  // namespace millrace::bench
