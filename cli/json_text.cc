#include "json_text.h"

#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

constexpr int nesting_max = 256;

// Steps over values; false at the first byte that is wrong.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }  // an escape may step past it
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::string_view since(std::size_t begin) const {
    return text_.substr(begin, at_ - begin);
  }
  void blanks() {
    while (!at_end() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool value(int depth) {
    if (at_end() || depth > nesting_max) return false;
    switch (text_[at_]) {
      case '"': return string();
      case '{': return items(depth, '}', true);
      case '[': return items(depth, ']', false);
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }

  // Escapes and UTF-8 are read by the library; here only where the string ends.
  bool string() {
    const std::size_t begin = at_;
    if (!take('"')) return false;
    while (!at_end() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) return at_ = text_.size(), false;
    ++at_;
    return nlohmann::json::accept(since(begin));
  }

 private:
  bool items(int depth, char end, bool named) {
    ++at_;
    blanks();
    if (take(end)) return true;
    do {
      blanks();
      if (named) {
        if (!string()) return false;
        blanks();
        if (!take(':')) return false;
        blanks();
      }
      if (!value(depth + 1)) return false;
      blanks();
    } while (take(','));
    return take(end);
  }

  bool word(std::string_view known) {
    if (!text_.substr(at_).starts_with(known)) return false;
    at_ += known.size();
    return true;
  }

  bool digits() {
    const std::size_t begin = at_;
    while (!at_end() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > begin;
  }

  bool number() {
    (void)take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) (void)take('-');
    return digits();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<Member>> members_of(std::string_view text) {
  Scanner scan(text);
  std::vector<Member> members;
  const auto wrong = [&scan](const char* what) {
    return tl::unexpected(Error{
        ErrorCode::invalid, what + std::string(" at byte ") + std::to_string(scan.at() + 1), {}});
  };
  scan.blanks();
  if (!scan.take('{')) return wrong("is not a JSON object: expected {");
  scan.blanks();
  if (scan.take('}')) return members;
  do {
    scan.blanks();
    const std::size_t name_at = scan.at();
    if (!scan.string()) return wrong("is not valid JSON: expected a name in double quotes");
    const auto name = nlohmann::json::parse(scan.since(name_at)).get<std::string>();
    scan.blanks();
    if (!scan.take(':')) return wrong("is not valid JSON: expected a colon");
    scan.blanks();
    const std::size_t value_at = scan.at();
    if (!scan.value(1)) return wrong("is not valid JSON: expected a value");
    members.push_back({name, scan.since(value_at)});
    scan.blanks();
  } while (scan.take(','));
  if (!scan.take('}')) return wrong("is not valid JSON: expected a comma or }");
  scan.blanks();
  if (!scan.at_end()) return wrong("has extra text after the JSON object");
  return members;
}

}  // namespace millrace::cli
