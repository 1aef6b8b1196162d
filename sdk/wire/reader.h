// A bounded pull reader of msgpack: no allocation, no copy, no length is used before it is checked.
// Why not the library's unpacker: it builds an object tree (24 bytes an element) before a field can
// be refused, and its limits do not bound the total of elements. Cross-checked against it by tests.
#pragma once

#include <millrace/result.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::wire {

class Reader {
 public:
  explicit Reader(std::string_view frame) : rest_(frame) {}

  // Each reads one value of its kind; false: error() says what was wrong, and nothing more is read.
  [[nodiscard]] bool map(std::size_t& pairs);
  [[nodiscard]] bool array(std::size_t& items);
  [[nodiscard]] bool bytes(std::string_view& value) {  // bin or str
    const std::size_t length = first() & 0x1fU;
    if ((first() & 0xe0U) != fixstr || length >= rest_.size()) return any_bytes(value);
    value = rest_.substr(1, length);
    rest_.remove_prefix(1 + length);
    return true;
  }
  [[nodiscard]] bool number(std::uint64_t& value) {  // an integer that is not negative
    if (first() > positive_fixint) return any_number(value);
    value = first();
    rest_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] bool boolean(bool& value);
  [[nodiscard]] bool real(double& value);  // a float, or an integer
  [[nodiscard]] bool skip();               // any value
  [[nodiscard]] bool take_nil() {          // consumes nil and says so; no error otherwise
    if (first() != nil) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // Every map and array that was opened must be closed, for the bound of nesting.
  void close() { --depth_; }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  bool fail(ErrorCode code, std::string message);

 private:
  static constexpr std::uint8_t positive_fixint = 0x7f, fixstr = 0xa0, nil = 0xc0,
                                never_used = 0xc1;
  // The next byte; one that msgpack never uses where there is none.
  [[nodiscard]] std::uint8_t first() const {
    return rest_.empty() ? never_used : static_cast<std::uint8_t>(rest_.front());
  }
  // Of every form, and what is wrong with it: the short forms, which are most, are read above.
  [[nodiscard]] bool any_bytes(std::string_view& value);
  [[nodiscard]] bool any_number(std::uint64_t& value);
  [[nodiscard]] bool byte(std::uint8_t& value);
  [[nodiscard]] bool big_endian(std::size_t width, std::uint64_t& value);
  [[nodiscard]] bool open(std::uint64_t count, std::size_t values_each, std::size_t& out);
  [[nodiscard]] bool take(std::uint64_t count, std::string_view& value);
  [[nodiscard]] bool skip_scalar(std::uint8_t tag);

  std::string_view rest_;
  std::size_t elements_ = 0;
  std::size_t depth_ = 0;
  std::optional<Error> error_;
};

}  // namespace millrace::wire
