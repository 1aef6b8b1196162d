// The options of a benchmark program: MODE key=value..., as tests/bench/run passes them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace::bench {

class Options {
 public:
  // Ends the process with exit code 64 when a word is no key=value or its key is not of known.
  Options(int count, char** arguments, const std::vector<std::string>& known);
  [[nodiscard]] const std::string& mode() const { return mode_; }
  [[nodiscard]] std::string text(const std::string& key, const std::string& otherwise = {}) const;
  [[nodiscard]] std::uint64_t number(const std::string& key, std::uint64_t otherwise = 0) const;

 private:
  std::string mode_;
  std::map<std::string, std::string> values_;
};

// Ends the process: a measurement that went wrong gives no number.
[[noreturn]] void give_up(const std::string& why);
// The same with exit code 64.
[[noreturn]] void wrong_usage(const std::string& why);

}  // namespace millrace::bench
