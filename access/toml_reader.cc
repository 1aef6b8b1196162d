#include "access/toml_reader.h"

#include <algorithm>
#include <chrono>

namespace millrace::access {

std::optional<toml::table> TomlReader::parse(std::string_view text) {
  try {
    return toml::parse(text, path_);
  } catch (const toml::parse_error& e) {
    wrong(e.source(), std::string(e.description()));
    return std::nullopt;
  }
}

std::optional<toml::table> TomlReader::parse_file() {
  try {
    return toml::parse_file(path_);
  } catch (const toml::parse_error& e) {
    wrong(e.source(), std::string(e.description()));
    return std::nullopt;
  }
}

void TomlReader::wrong(const toml::source_region& at, const std::string& what) {
  errors_.push_back(path_ + ":" + std::to_string(at.begin.line) + ":" +
                    std::to_string(at.begin.column) + ": " + what);
}

void TomlReader::known(const toml::table& table, std::initializer_list<std::string_view> keys,
                       std::initializer_list<Renamed> older) {
  for (const auto& [key, node] : table) {
    std::string_view name = key.str();
    for (const auto& [before, today] : older) {
      if (before == name) name = today;
    }
    if (std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
    std::string all;
    for (const auto k : keys) all += (all.empty() ? "" : ", ") + std::string(k);
    wrong(key.source(), "unknown key '" + std::string(key.str()) + "'; known keys here: " + all);
  }
}

std::optional<std::int64_t> TomlReader::whole_number(const toml::table& table, std::string_view key,
                                                     std::int64_t low, std::int64_t high) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->value_exact<std::int64_t>();
  if (value && *value >= low && *value <= high) return value;
  wrong(node->source(), std::string(key) + " must be a whole number from " + std::to_string(low) +
                            " to " + std::to_string(high));
  return std::nullopt;
}

void TomlReader::boolean(const toml::table& table, std::string_view key, bool& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const auto value = node->value_exact<bool>();
  if (!value) return wrong(node->source(), std::string(key) + " must be true or false");
  out = *value;
}

void TomlReader::one_of(const toml::table& table, std::string_view key,
                        std::initializer_list<std::string_view> words, std::string& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const auto value = node->value_exact<std::string>().value_or("");
  if (std::find(words.begin(), words.end(), value) != words.end()) {
    out = value;
    return;
  }
  std::string all;
  for (const auto* word = words.begin(); word != words.end(); ++word) {
    all += word == words.begin() ? "" : word + 1 == words.end() ? " or " : ", ";
    all += *word;
  }
  wrong(node->source(), std::string(key) + " must be " + all);
}

void TomlReader::text(const toml::table& table, std::string_view key, std::string& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const auto value = node->value_exact<std::string>();
  if (!value) return wrong(node->source(), std::string(key) + " must be a string");
  out = *value;
}

std::vector<TomlReader::Placed> TomlReader::texts(const toml::table& table, std::string_view key) {
  std::vector<Placed> all;
  const toml::node* node = table.get(key);
  if (node == nullptr) return all;
  const auto take = [&](const toml::node& one) {
    const auto value = one.value_exact<std::string>();
    if (value) {
      all.push_back({*value, one.source()});
    } else {
      wrong(one.source(), std::string(key) + " must be a list of strings");
    }
  };
  if (!node->is_array()) {
    take(*node);
    return all;
  }
  for (const toml::node& one : *node->as_array()) take(one);
  return all;
}

void TomlReader::time(const toml::table& table, std::string_view key, std::int64_t& out_ms) {
  using namespace std::chrono;
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const auto at = node->value_exact<toml::date_time>();
  const auto date = node->value_exact<toml::date>();
  if ((!at || !at->offset) && !date) {
    return wrong(node->source(), std::string(key) +
                                     " must be a date (2027-01-31) or a time with an offset "
                                     "(2027-01-31T12:00:00Z), without quotes");
  }
  const toml::date day = at ? at->date : *date;
  const year_month_day parsed{year(day.year), month(day.month), std::chrono::day(day.day)};
  auto when = sys_time<milliseconds>(sys_days(parsed));
  if (at) {
    when += hours(at->time.hour) + minutes(at->time.minute) + seconds(at->time.second);
    when += duration_cast<milliseconds>(nanoseconds(at->time.nanosecond));
    when -= minutes(at->offset->minutes);
  }
  // 0 is that of a key that is absent, which would never expire. An offset may lead beyond the
  // years that can be written.
  constexpr std::int64_t first_ms = 1, last_ms = 253'402'300'799'999;
  out_ms = std::clamp<std::int64_t>(when.time_since_epoch().count(), first_ms, last_ms);
}

const toml::table* TomlReader::section(const toml::table& root, std::string_view key) {
  const toml::node* node = root.get(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) wrong(node->source(), "[" + std::string(key) + "] must be a table");
  return node->as_table();
}

}  // namespace millrace::access
