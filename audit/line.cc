#include "audit/line.h"

#include <nettle/sha2.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

namespace millrace::audit {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view ellipsis = "\xe2\x80\xa6";
constexpr std::string_view before_hash = ",\"hash\":\"";
constexpr std::size_t hash_member_bytes = before_hash.size() + hash_digits + 2;
constexpr std::size_t time_bytes = 24;

// The end of the year 9999, which the four digits of a year can still name.
constexpr WallTime time_end = std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1);

struct Character {
  std::size_t bytes = 1;
  std::uint32_t code = 0xfffd;
  bool valid = false;
};

// The UTF-8 character at the front of a text that is not empty.
Character front_character(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {1, first, true};
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes > text.size()) return {};
  std::uint32_t code = first & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {};
    code = code << 6U | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {bytes, code, true};
}

// Could disturb a terminal, or make a line look like another one.
bool is_harmful(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
         (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

bool take(std::string_view* rest, std::string_view literal) {
  if (!rest->starts_with(literal)) return false;
  rest->remove_prefix(literal.size());
  return true;
}

// A text up to its closing quote, exactly as escaped() writes it.
std::optional<std::string> take_text(std::string_view* rest, std::size_t bytes_max) {
  std::string text;
  std::size_t at = 0;
  for (; at < rest->size() && (*rest)[at] != '"'; ++at) {
    if ((*rest)[at] == '\\' && ++at == rest->size()) return std::nullopt;
    text += (*rest)[at];
  }
  if (at == rest->size() || escaped(text, bytes_max) != rest->substr(0, at)) return std::nullopt;
  rest->remove_prefix(at + 1);
  return text;
}

std::optional<std::uint64_t> take_seq(std::string_view* rest) {
  std::uint64_t seq = 0;
  const auto read = std::from_chars(rest->data(), rest->data() + rest->size(), seq);
  if (read.ec != std::errc{} || seq == 0 || rest->front() == '0') return std::nullopt;
  rest->remove_prefix(static_cast<std::size_t>(read.ptr - rest->data()));
  return seq;
}

std::optional<std::string> take_hash(std::string_view* rest) {
  const std::string_view hash = rest->substr(0, hash_digits);
  if (!is_hash(hash)) return std::nullopt;
  rest->remove_prefix(hash_digits);
  return std::string(hash);
}

unsigned number_in(std::string_view text, std::size_t at, std::size_t digits) {
  unsigned value = 0;
  for (const char c : text.substr(at, digits)) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

// What time_text() writes, and nothing else.
std::optional<WallTime> take_time(std::string_view* rest) {
  constexpr std::string_view shape = "0000-00-00T00:00:00.000Z";
  const std::string_view text = rest->substr(0, time_bytes);
  if (text.size() != time_bytes) return std::nullopt;
  for (std::size_t i = 0; i < time_bytes; ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (shape[i] == '0' ? !digit : text[i] != shape[i]) return std::nullopt;
  }
  using namespace std::chrono;
  const year_month_day date(year(static_cast<int>(number_in(text, 0, 4))),
                            month(number_in(text, 5, 2)), day(number_in(text, 8, 2)));
  if (!date.ok()) return std::nullopt;
  const WallTime time = sys_days(date) + hours(number_in(text, 11, 2)) +
                        minutes(number_in(text, 14, 2)) + seconds(number_in(text, 17, 2)) +
                        milliseconds(number_in(text, 20, 3));
  if (time_text(time) != text) return std::nullopt;
  rest->remove_prefix(time_bytes);
  return time;
}

// The members in their order. Each step names what it reads, for the sentence of a failure.
class Decoder {
 public:
  explicit Decoder(std::string_view text) : rest_(text) {}

  template <typename Value, typename Read>
  void member(const char* name, std::string_view before, Value* to, Read read) {
    if (wrong_ != nullptr) return;
    wrong_ = name;
    if (!take(&rest_, before)) return;
    auto value = read(&rest_);
    if (!value) return;
    *to = std::move(*value);
    wrong_ = nullptr;
  }
  void text(const char* name, std::string_view before, std::string* to, std::size_t bytes_max) {
    member(name, before, to,
           [bytes_max](std::string_view* rest) { return take_text(rest, bytes_max); });
  }
  void end(std::string_view after) {
    if (wrong_ == nullptr && rest_ != after) wrong_ = "hash";
  }
  [[nodiscard]] const char* wrong() const { return wrong_; }

 private:
  std::string_view rest_;
  const char* wrong_ = nullptr;
};

std::string in_quotes(std::string_view name, std::string_view text, std::size_t bytes_max) {
  return ",\"" + std::string(name) + "\":\"" + escaped(text, bytes_max) + '"';
}

}  // namespace

std::string escaped(std::string_view text, std::size_t bytes_max) {
  std::string out;
  std::size_t cut = 0;  // the longest front that leaves space for the ellipsis
  while (!text.empty()) {
    const Character c = front_character(text);
    if (!c.valid || is_harmful(c.code)) {
      out += replacement;
    } else {
      if (c.code == '"' || c.code == '\\') out += '\\';
      out += text.substr(0, c.bytes);
    }
    if (out.size() + ellipsis.size() <= bytes_max) cut = out.size();
    if (out.size() > bytes_max) return out.substr(0, cut) + std::string(ellipsis);
    text.remove_prefix(c.bytes);
  }
  return out;
}

std::string time_text(WallTime time) {
  using namespace std::chrono;
  const WallTime shown = std::clamp(time, WallTime{}, time_end - milliseconds(1));
  const auto day_start = floor<days>(shown);
  const year_month_day date(day_start);
  const hh_mm_ss clock(shown - day_start);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text.data();
}

std::string encode(Line& line) {
  const Entry& entry = line.entry;
  std::string text =
      "{\"seq\":" + std::to_string(line.seq) + ",\"time\":\"" + time_text(line.time) + '"';
  text += in_quotes("who", entry.who, who_bytes_max);
  text += in_quotes("from", entry.from, from_bytes_max);
  text += in_quotes("verb", entry.verb, verb_bytes_max);
  text += in_quotes("on", entry.on, on_bytes_max);
  text += in_quotes("result", entry.result, result_bytes_max);
  text += in_quotes("message", entry.message, message_bytes_max);
  text += ",\"prev\":\"" + line.prev + '"';
  line.hash = sha256(text + '}');
  return text.append(before_hash).append(line.hash).append("\"}");
}

Expected<Line> decode(std::string_view text) {
  Line line;
  Decoder in(text);
  in.member("seq", "{\"seq\":", &line.seq, take_seq);
  in.member("time", ",\"time\":\"", &line.time, take_time);
  in.text("who", "\",\"who\":\"", &line.entry.who, who_bytes_max);
  in.text("from", ",\"from\":\"", &line.entry.from, from_bytes_max);
  in.text("verb", ",\"verb\":\"", &line.entry.verb, verb_bytes_max);
  in.text("on", ",\"on\":\"", &line.entry.on, on_bytes_max);
  in.text("result", ",\"result\":\"", &line.entry.result, result_bytes_max);
  in.text("message", ",\"message\":\"", &line.entry.message, message_bytes_max);
  in.member("prev", ",\"prev\":\"", &line.prev, take_hash);
  in.member("hash", "\",\"hash\":\"", &line.hash, take_hash);
  in.end("\"}");
  if (in.wrong() == nullptr) return line;
  return tl::unexpected(
      Failure{FailureKind::damaged, "its member \"" + std::string(in.wrong()) +
                                        "\" is missing, or not as the audit log writes it"});
}

std::string hash_of_line(std::string_view text) {
  const std::size_t body = text.size() - std::min(text.size(), hash_member_bytes);
  return sha256(std::string(text.substr(0, body)) + '}');
}

std::string sha256(std::string_view bytes) {
  sha256_ctx sum{};
  sha256_init(&sum);
  sha256_update(&sum, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&sum, digest.size(), digest.data());
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

bool is_hash(std::string_view text) {
  return text.size() == hash_digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace millrace::audit
