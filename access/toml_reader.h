// Reads the values of one TOML file and collects a sentence for each mistake, with its place:
// file:line:column.
// Threads: values.
#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::access {

class TomlReader {
 public:
  TomlReader(std::string path, std::vector<std::string>& errors)
      : path_(std::move(path)), errors_(errors) {}

  // Nothing where the text is no TOML, which is an error of its own.
  [[nodiscard]] std::optional<toml::table> parse(std::string_view text);
  [[nodiscard]] std::optional<toml::table> parse_file();

  void wrong(const toml::source_region& at, const std::string& what);
  // Others are errors; older: names that a key had before, each with its name of today.
  using Renamed = std::pair<std::string_view, std::string_view>;
  void known(const toml::table& table, std::initializer_list<std::string_view> keys,
             std::initializer_list<Renamed> older = {});

  template <typename T>
  void number(const toml::table& table, std::string_view key, std::int64_t low, std::int64_t high,
              T& out) {
    if (const auto value = whole_number(table, key, low, high)) out = static_cast<T>(*value);
  }
  void boolean(const toml::table& table, std::string_view key, bool& out);
  void one_of(const toml::table& table, std::string_view key,
              std::initializer_list<std::string_view> words, std::string& out);
  void text(const toml::table& table, std::string_view key, std::string& out);
  // Of a list of texts, or of one text; each with its place.
  struct Placed {
    std::string text;
    toml::source_region at;
  };
  [[nodiscard]] std::vector<Placed> texts(const toml::table& table, std::string_view key);
  // A date, or a time with an offset, as Unix time in milliseconds, from 1 to the year 9999; 0
  // where the key is absent.
  void time(const toml::table& table, std::string_view key, std::int64_t& out_ms);
  // Null where there is none; one that is not a table is an error.
  const toml::table* section(const toml::table& root, std::string_view key);

 private:
  [[nodiscard]] std::optional<std::int64_t> whole_number(const toml::table& table,
                                                         std::string_view key, std::int64_t low,
                                                         std::int64_t high);

  std::string path_;
  std::vector<std::string>& errors_;
};

}  // namespace millrace::access
