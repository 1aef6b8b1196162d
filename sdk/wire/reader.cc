// The msgpack format: github.com/msgpack/msgpack, spec.md.
#include "wire/reader.h"

#include "wire/limits.h"

#include <array>
#include <bit>
#include <utility>

namespace millrace::wire {
namespace {

constexpr std::uint8_t fixmap = 0x80, fixarray = 0x90, false_tag = 0xc2, true_tag = 0xc3,
                       bin8 = 0xc4, ext8 = 0xc7, float32 = 0xca, float64 = 0xcb, uint8_tag = 0xcc,
                       int8_tag = 0xd0, fixext1 = 0xd4, str8 = 0xd9, array16 = 0xdc, map16 = 0xde,
                       negative_fixint = 0xe0;

}  // namespace

bool Reader::fail(ErrorCode code, std::string message) {
  if (!error_) error_ = Error{code, std::move(message), {}};
  rest_ = {};
  return false;
}

bool Reader::byte(std::uint8_t& value) {
  if (rest_.empty()) return fail(ErrorCode::invalid, "the message is truncated");
  value = static_cast<std::uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  return true;
}

bool Reader::big_endian(std::size_t width, std::uint64_t& value) {
  if (rest_.size() < width) return fail(ErrorCode::invalid, "the message is truncated");
  value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    value = value << 8U | static_cast<std::uint8_t>(rest_[i]);
  }
  rest_.remove_prefix(width);
  return true;
}

bool Reader::take(std::uint64_t count, std::string_view& value) {
  if (count > rest_.size()) return fail(ErrorCode::invalid, "the message is truncated");
  value = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return true;
}

// A container is accepted only if the remaining bytes could hold it and the bounds allow it.
bool Reader::open(std::uint64_t count, std::size_t values_each, std::size_t& out) {
  if (count > elements_max || elements_ + count > elements_max) {
    return fail(ErrorCode::too_large,
                "the message has more than " + std::to_string(elements_max) + " elements");
  }
  if (count * values_each > rest_.size()) {
    return fail(ErrorCode::invalid, "the message is truncated");
  }
  if (++depth_ > nesting_max) {
    return fail(ErrorCode::too_large,
                "the message is nested deeper than " + std::to_string(nesting_max));
  }
  elements_ += static_cast<std::size_t>(count);
  out = static_cast<std::size_t>(count);
  return true;
}

bool Reader::map(std::size_t& pairs) {
  std::uint8_t tag = 0;
  std::uint64_t count = 0;
  if (!byte(tag)) return false;
  if ((tag & 0xf0U) == fixmap) {
    count = tag & 0x0fU;
  } else if (tag == map16 || tag == map16 + 1) {
    if (!big_endian(tag == map16 ? 2 : 4, count)) return false;
  } else {
    return fail(ErrorCode::invalid, "a map was expected");
  }
  return open(count, 2, pairs);
}

bool Reader::array(std::size_t& items) {
  std::uint8_t tag = 0;
  std::uint64_t count = 0;
  if (!byte(tag)) return false;
  if ((tag & 0xf0U) == fixarray) {
    count = tag & 0x0fU;
  } else if (tag == array16 || tag == array16 + 1) {
    if (!big_endian(tag == array16 ? 2 : 4, count)) return false;
  } else {
    return fail(ErrorCode::invalid, "an array was expected");
  }
  return open(count, 1, items);
}

bool Reader::any_bytes(std::string_view& value) {
  std::uint8_t tag = 0;
  std::uint64_t length = 0;
  if (!byte(tag)) return false;
  if ((tag & 0xe0U) == fixstr) {
    length = tag & 0x1fU;
  } else if (tag >= bin8 && tag <= bin8 + 2) {
    if (!big_endian(std::size_t{1} << (tag - bin8), length)) return false;
  } else if (tag >= str8 && tag <= str8 + 2) {
    if (!big_endian(std::size_t{1} << (tag - str8), length)) return false;
  } else {
    return fail(ErrorCode::invalid, "a string or bytes were expected");
  }
  return take(length, value);
}

bool Reader::any_number(std::uint64_t& value) {
  std::uint8_t tag = 0;
  if (!byte(tag)) return false;
  if (tag < fixmap) {
    value = tag;
    return true;
  }
  if (tag >= uint8_tag && tag < int8_tag) {
    return big_endian(std::size_t{1} << (tag - uint8_tag), value);
  }
  if (tag >= int8_tag && tag < int8_tag + 4) {
    const std::size_t width = std::size_t{1} << (tag - int8_tag);
    if (!big_endian(width, value)) return false;
    const bool negative = (value >> (width * 8 - 1) & 1U) != 0;
    return negative ? fail(ErrorCode::invalid, "a negative number is not allowed") : true;
  }
  return fail(ErrorCode::invalid, tag >= negative_fixint ? "a negative number is not allowed"
                                                         : "an integer was expected");
}

bool Reader::boolean(bool& value) {
  std::uint8_t tag = 0;
  if (!byte(tag)) return false;
  if (tag != false_tag && tag != true_tag) {
    return fail(ErrorCode::invalid, "true or false was expected");
  }
  value = tag == true_tag;
  return true;
}

bool Reader::real(double& value) {
  if (rest_.empty()) return fail(ErrorCode::invalid, "the message is truncated");
  const auto tag = static_cast<std::uint8_t>(rest_.front());
  std::uint64_t bits = 0;
  if (tag == float32 || tag == float64) {
    rest_.remove_prefix(1);
    if (!big_endian(tag == float32 ? 4 : 8, bits)) return false;
    value = tag == float32
                ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)))
                : std::bit_cast<double>(bits);
    return true;
  }
  if (!number(bits)) return false;
  value = static_cast<double>(bits);
  return true;
}

bool Reader::skip_scalar(std::uint8_t tag) {
  std::string_view ignored;
  std::uint64_t length = 0;
  rest_.remove_prefix(1);
  if (tag < fixmap || tag >= negative_fixint || tag == nil || tag == false_tag || tag == true_tag) {
    return true;
  }
  if (tag >= ext8 && tag < ext8 + 3) {
    return big_endian(std::size_t{1} << (tag - ext8), length) && take(length + 1, ignored);
  }
  if (tag == float32 || tag == float64) return take(tag == float32 ? 4 : 8, ignored);
  if (tag >= uint8_tag && tag < fixext1) return take(std::uint64_t{1} << (tag & 3U), ignored);
  if (tag >= fixext1 && tag < str8) {
    return take((std::uint64_t{1} << (tag - fixext1)) + 1, ignored);
  }
  return fail(ErrorCode::invalid, "the message is not valid msgpack");
}

// Without recursion: the bound of nesting is also the size of the stack.
bool Reader::skip() {
  std::array<std::size_t, nesting_max + 1> left{};
  std::size_t level = 0;
  left[0] = 1;
  for (;;) {
    while (left[level] == 0) {
      if (level == 0) return true;
      --level;
      close();
    }
    --left[level];
    if (rest_.empty()) return fail(ErrorCode::invalid, "the message is truncated");
    const auto tag = static_cast<std::uint8_t>(rest_.front());
    const bool is_map = (tag & 0xf0U) == fixmap || tag == map16 || tag == map16 + 1;
    const bool is_array = (tag & 0xf0U) == fixarray || tag == array16 || tag == array16 + 1;
    std::string_view ignored;
    if (is_map || is_array) {
      std::size_t count = 0;
      if (!(is_map ? map(count) : array(count))) return false;
      left[++level] = is_map ? 2 * count : count;
    } else if ((tag & 0xe0U) == fixstr || (tag >= bin8 && tag <= bin8 + 2) ||
               (tag >= str8 && tag <= str8 + 2)) {
      if (!bytes(ignored)) return false;
    } else if (!skip_scalar(tag)) {
      return false;
    }
  }
}

}  // namespace millrace::wire
