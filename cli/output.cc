// Printing: tables, ages, safe text.
#include "output.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

// Of the UTF-8 sequence that starts here; 0 if it is none.
std::size_t utf8_length(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 && first < 0xf5   ? 4
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xc2 && first < 0xe0 ? 2
                                                             : 0;
  if (length == 0 || length > bytes.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(bytes[i]) & 0xc0U) != 0x80U) return 0;
  }
  // The C1 controls, which some terminals obey.
  if (first == 0xc2 && static_cast<unsigned char>(bytes[1]) < 0xa0) return 0;
  return length;
}

int exit_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
    case ErrorCode::unknown_topic: return exit_not_found;
    case ErrorCode::unavailable: return exit_unavailable;
    case ErrorCode::timeout:
    case ErrorCode::outcome_unknown: return exit_in_vain;
    default: return exit_refused;
  }
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool mark = &row == &rows_.front() && row[i].starts_with('>');
      widths[i] = std::max(widths[i], row[i].size() - (mark ? 1 : 0));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool right = rows_.front()[i].starts_with('>');
      std::string cell = row[i];
      if (&row == &rows_.front() && right) cell.erase(0, 1);
      const std::string gap(widths[i] - cell.size(), ' ');
      line += (i > 0 ? "  " : "") + (right ? gap + cell : cell + gap);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string age_text(std::chrono::milliseconds age) {
  const auto ms = age.count();
  if (ms < 1'000) return std::to_string(ms) + "ms";
  const auto s = ms / 1'000;
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3'600) return std::to_string(s / 60) + "m " + std::to_string(s % 60) + "s";
  if (s < 86'400) return std::to_string(s / 3'600) + "h " + std::to_string(s / 60 % 60) + "m";
  return std::to_string(s / 86'400) + "d " + std::to_string(s / 3'600 % 24) + "h";
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1'024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (value >= 1'024 && unit < 4) {
    value /= 1'024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", value, units[unit]);
  return text;
}

std::string time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string safe_text(std::string_view bytes, std::size_t bytes_max) {
  std::string out;
  const std::size_t whole = bytes.size();
  std::size_t at = 0;
  while (at < whole && (bytes_max == 0 || at < bytes_max)) {
    const std::size_t length = utf8_length(bytes.substr(at));
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
      out += escaped;
      ++at;
    } else {
      out += bytes.substr(at, length);
      at += length;
    }
  }
  if (at < whole) out += "... (" + bytes_text(whole) + ", --full shows all)";
  return out;
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_json(const nlohmann::json& value) {
  print(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

int misused(const std::string& message) {
  std::fprintf(stderr, "millrace: %s\n", message.c_str());
  return exit_usage;
}

int fail(const Options& options, const Error& error) {
  if (options.json) {
    print_json({{"error", {{"code", to_string(error.code)}, {"message", error.message}}}});
  }
  std::fprintf(stderr, "millrace: %s (%s)\n", error.message.c_str(),
               std::string(to_string(error.code)).c_str());
  return exit_of(error.code);
}

}  // namespace millrace::cli
