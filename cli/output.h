// Printing: tables, ages, text whose control characters cannot harm a terminal.
#pragma once

#include "options.h"

#include <millrace/result.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

// Columns as wide as they need; a title that starts with > is right-aligned.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) : rows_{std::move(titles)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }

 private:
  std::vector<std::vector<std::string>> rows_;
};

[[nodiscard]] std::string age_text(std::chrono::milliseconds age);                // "3m 12s"
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);                        // "1.5 MiB"
[[nodiscard]] std::string time_text(std::chrono::system_clock::time_point time);  // UTC
// Control characters and what is not UTF-8 as \xHH; cut after bytes_max, 0: never.
[[nodiscard]] std::string safe_text(std::string_view bytes, std::size_t bytes_max = 0);

void print(std::string_view text);
void print_json(const nlohmann::json& value);  // one line
// For a mistake in what was typed.
[[nodiscard]] int misused(const std::string& message);
// Says what went wrong, on stderr and with --json as JSON too, and returns its exit code.
[[nodiscard]] int fail(const Options& options, const Error& error);

}  // namespace millrace::cli
