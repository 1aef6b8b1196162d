// Rows of a file as texts by their primary key, to compare the expected rows with the rows found.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>

namespace millrace::testing {

using Rows = std::map<std::string, std::string>;  // "table key" -> the other columns

[[nodiscard]] std::uint64_t hash_of(std::string_view bytes);

// A row as read_rows() tells it: numbers, and texts and blobs as their hashes.
class Line {
 public:
  template <typename Number>
  requires std::is_arithmetic_v<Number> || std::is_enum_v<Number> Line& operator<<(Number value) {
    return add(std::to_string(static_cast<std::int64_t>(value)));
  }
  Line& operator<<(std::string_view bytes) { return add(std::to_string(hash_of(bytes))); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  Line& add(const std::string& word) {
    if (!text_.empty()) text_ += ' ';
    text_ += word;
    return *this;
  }
  std::string text_;
};

// The rows that the file holds, read by SQL and not by the store. False: it could not be read, it
// is not sound, or its counts are not those of its rows.
[[nodiscard]] bool read_rows(const std::string& path, const char* vfs, Rows& rows,
                             std::string& wrong);

// The first difference, or empty.
[[nodiscard]] std::string difference(const Rows& wanted, const Rows& found);

}  // namespace millrace::testing
