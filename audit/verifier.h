// Judges the lines of an audit log: whether each follows the one before, and whether the log
// reaches as far as its head. Has no file, so that tests and the fuzzer give it any lines.
#pragma once

#include "audit/files.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace::audit {

struct Finding {
  std::string file;
  std::uint64_t line = 0;  // in its file, from 1; 0: the whole file
  std::string text;
};

struct Report {
  std::uint64_t files = 0, lines = 0;
  std::uint64_t first_seq = 0, last_seq = 0;
  WallTime first_time{}, last_time{};
  std::string last_hash;
  std::vector<Finding> problems;  // the first hundred of them
  std::uint64_t problem_count = 0;
  std::vector<std::string> notes;          // what is no damage, and good to know
  std::optional<std::uint64_t> noted_seq;  // the line with the hash that was asked for
  [[nodiscard]] bool intact() const { return problem_count == 0; }
};

struct Expectation {
  std::optional<std::string> noted_hash;  // of a line that must be in the log
  std::optional<std::string>
      after_hash;  // of the line before the first one: older files were moved away
};

class Verifier {
 public:
  Verifier(Expected<std::optional<Head>> head, Expectation wanted);
  void begin_file(std::uint64_t number);
  void line(const RawLine& raw);
  [[nodiscard]] Report finish();

 private:
  struct Tail {  // what may be the incomplete end of the log
    Finding first;
    std::uint64_t bytes = 0;
  };
  void problem(std::string text);
  void problem(Finding finding);
  void valid_line(const Line& line, const RawLine& raw);
  void invalid_line(const RawLine& raw, const std::string& why);
  void tail_was_not_the_end();
  void check_start(const Line& line);
  void check_first_of_file(const Line& line);
  void check_order(const Line& line);
  void check_head(const Line& line, const RawLine& raw);
  void check_remarks(const Line& line);
  void finish_head();
  void finish_tail();

  const Expected<std::optional<Head>> head_;
  const Expectation wanted_;
  Report report_;
  std::uint64_t number_ = 0, line_in_file_ = 0, lines_of_file_ = 0;
  std::uint64_t last_seq_ = 0;
  std::string last_hash_;
  bool follows_known_ = false;  // last_seq_ and last_hash_ are of the line before
  bool head_seen_ = false;
  std::optional<Tail> tail_;
};

}  // namespace millrace::audit
