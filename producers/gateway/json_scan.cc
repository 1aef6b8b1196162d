#include "json_scan.h"

#include "utf8.h"

#include <cstdint>

namespace millrace::gateway::json_scan {
namespace {

constexpr int nesting_max = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::uint32_t hex_value(char c) {
  if (is_digit(c)) return static_cast<std::uint32_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint32_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint32_t>(c - 'A' + 10);
  return 16;
}

bool is_high(std::uint32_t unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool is_low(std::uint32_t unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

// Reads from a place; the first fault stays and ends every loop.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] const std::string& fault() const { return fault_; }
  [[nodiscard]] std::size_t place() const { return at_; }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] char front() const { return at_end() ? '\0' : text_[at_]; }

  void space() {
    while (!at_end() && (front() == ' ' || front() == '\t' || front() == '\n' || front() == '\r')) {
      ++at_;
    }
  }
  bool take(char c) {
    if (at_end() || front() != c) return false;
    ++at_;
    return true;
  }
  void wrong(const char* what) {
    if (fault_.empty()) fault_ = "at byte " + std::to_string(at_) + ": " + what;
  }
  [[nodiscard]] bool well() const { return fault_.empty(); }

  void value() {
    if (depth_ == nesting_max) return wrong("it is nested deeper than 64 levels");
    switch (front()) {
      case '{': return container('}', true);
      case '[': return container(']', false);
      case '"': return text();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }

  void text() {
    if (!take('"')) return wrong("expected a string in double quotes");
    while (well()) {
      if (at_end()) return wrong("a string has no closing quote");
      const char c = front();
      if (c == '"') {
        ++at_;
        return;
      }
      if (c == '\\') {
        escape();
      } else if (static_cast<unsigned char>(c) < 0x20) {
        wrong("a control character in a string must be escaped");
      } else if (const std::size_t bytes = utf8_length(text_.substr(at_)); bytes > 0) {
        at_ += bytes;
      } else {
        wrong("a string is not valid UTF-8");
      }
    }
  }

 private:
  void word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return wrong("expected a value");
    at_ += expected.size();
  }
  void digits() {
    if (!is_digit(front())) return wrong("expected a digit");
    while (is_digit(front())) ++at_;
  }
  void number() {
    const bool negative = take('-');
    if (!is_digit(front())) return wrong(negative ? "expected a digit" : "expected a value");
    if (!take('0')) digits();
    if (take('.')) digits();
    if (well() && (take('e') || take('E'))) {
      if (!take('+')) take('-');
      digits();
    }
  }
  void container(char end, bool named) {
    ++depth_;
    ++at_;
    space();
    if (take(end)) return void(--depth_);
    while (well()) {
      if (named) name();
      if (!well()) return;
      space();
      value();
      space();
      if (!well()) return;
      if (take(end)) return void(--depth_);
      if (!take(',')) return wrong("expected a comma or the closing bracket");
      space();
    }
  }
  void name() {
    text();
    space();
    if (well() && !take(':')) wrong("expected a colon");
  }
  // The number of \uXXXX whose u is in front.
  std::uint32_t unit() {
    ++at_;
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const std::uint32_t digit = hex_value(front());
      if (digit > 15) {
        wrong("\\u must be followed by four hexadecimal digits");
        return 0;
      }
      value = value << 4U | digit;
    }
    return value;
  }
  void escape() {
    ++at_;
    if (front() != 'u') {
      const bool known =
          !at_end() && std::string_view("\"\\/bfnrt").find(front()) != std::string_view::npos;
      if (!known) return wrong("unknown escape sequence");
      ++at_;
      return;
    }
    const std::uint32_t first = unit();
    if (!well() || (!is_high(first) && !is_low(first))) return;
    const bool pair = is_high(first) && take('\\') && front() == 'u' && is_low(unit());
    if (!pair) wrong("an escape sequence is half of a surrogate pair");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string fault_;
};

std::uint32_t unit_at(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits.substr(0, 4)) value = value << 4U | hex_value(c);
  return value;
}

char unescaped(char c) {
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
  }
}

}  // namespace

std::string fault_of(std::string_view text) {
  Scanner in(text);
  in.space();
  in.value();
  in.space();
  if (in.well() && !in.at_end()) in.wrong("there is extra text after the value");
  return in.fault();
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\n\r";
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) + 1 - first);
}

Kind kind_of(std::string_view value) {
  switch (value.front()) {
    case '{': return Kind::object;
    case '[': return Kind::array;
    case '"': return Kind::text;
    case 't':
    case 'f':
    case 'n': return Kind::word;
    default: return Kind::number;
  }
}

std::string decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (text[++i] != 'u') {
      out += unescaped(text[i]);
      continue;
    }
    std::uint32_t point = unit_at(text.substr(i + 1));
    i += 4;
    if (is_high(point)) {
      point = 0x10000U + ((point - 0xd800U) << 10U) + (unit_at(text.substr(i + 3)) - 0xdc00U);
      i += 6;
    }
    append_utf8(&out, point);
  }
  return out;
}

void each_member(std::string_view object, const Member& visit) {
  Scanner in(object);
  in.take('{');
  in.space();
  while (in.well() && !in.take('}')) {
    const std::size_t name = in.place();
    in.text();
    const std::size_t name_end = in.place();
    in.space();
    in.take(':');
    in.space();
    const std::size_t value = in.place();
    in.value();
    const bool more =
        visit(object.substr(name, name_end - name), object.substr(value, in.place() - value));
    if (!more) return;
    in.space();
    in.take(',');
    in.space();
  }
}

void each_element(std::string_view array, const Element& visit) {
  Scanner in(array);
  in.take('[');
  in.space();
  while (in.well() && !in.take(']')) {
    const std::size_t value = in.place();
    in.value();
    if (!visit(array.substr(value, in.place() - value))) return;
    in.space();
    in.take(',');
    in.space();
  }
}

}  // namespace millrace::gateway::json_scan
