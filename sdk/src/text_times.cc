// Times (RFC 3339) and durations in text.
#include <millrace/times.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace millrace {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t quoted_bytes_max = 40;
constexpr milliseconds duration_max = std::chrono::days(100'000);

// The text in a message: short, and without bytes that would disturb a terminal or a log.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, quoted_bytes_max)) out += c >= ' ' && c <= '~' ? c : '?';
  return out + (text.size() > quoted_bytes_max ? "...'" : "'");
}

tl::unexpected<Error> no_time(std::string what) {
  return tl::unexpected(Error{ErrorCode::invalid, std::move(what), {}});
}

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads from the front of a text; a step that does not fit leaves `well` false for good.
struct Scanner {
  std::string_view rest;
  bool well = true;

  bool take(std::string_view any_of) {
    const bool fits = !rest.empty() && any_of.find(rest.front()) != std::string_view::npos;
    if (fits) rest.remove_prefix(1);
    return fits;
  }
  void need(std::string_view any_of) { well = take(any_of) && well; }
  // Exactly this many digits.
  int number(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (i >= rest.size() || !is_digit(rest[i])) {
        well = false;
        return 0;
      }
      value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(digits);
    return value;
  }
};

struct Written {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0;
  int offset_hour = 0, offset_minute = 0;
  bool west = false;
};

// Milliseconds of a fraction of a second; further digits are read and cut.
int fraction_ms(Scanner* in) {
  int ms = 0, scale = 100;
  if (in->rest.empty() || !is_digit(in->rest.front())) in->well = false;
  for (; !in->rest.empty() && is_digit(in->rest.front()); in->rest.remove_prefix(1)) {
    ms += (in->rest.front() - '0') * scale;
    scale /= 10;
  }
  return ms;
}

void read_offset(Scanner* in, Written* w) {
  if (in->take("Zz")) return;
  w->west = !in->rest.empty() && in->rest.front() == '-';
  in->need("+-");
  w->offset_hour = in->number(2);
  in->need(":");
  w->offset_minute = in->number(2);
}

std::optional<Written> read_time(std::string_view text) {
  Scanner in{text};
  Written w;
  w.year = in.number(4);
  in.need("-");
  w.month = in.number(2);
  in.need("-");
  w.day = in.number(2);
  in.need("Tt ");
  w.hour = in.number(2);
  in.need(":");
  w.minute = in.number(2);
  in.need(":");
  w.second = in.number(2);
  if (in.take(".")) w.ms = fraction_ms(&in);
  read_offset(&in, &w);
  if (!in.well || !in.rest.empty()) return std::nullopt;
  return w;
}

// Why the date or time does not exist, or null.
const char* impossible(const Written& w) {
  const std::chrono::year_month_day date{std::chrono::year(w.year),
                                         std::chrono::month(static_cast<unsigned>(w.month)),
                                         std::chrono::day(static_cast<unsigned>(w.day))};
  if (w.month < 1 || w.month > 12) return "the month must be from 01 to 12";
  if (!date.ok()) return "the month does not have this day";
  if (w.hour > 23) return "the hour must be from 00 to 23";
  if (w.minute > 59) return "the minute must be from 00 to 59";
  if (w.second > 60) return "the second must be from 00 to 59";
  if (w.offset_hour > 23 || w.offset_minute > 59) return "the offset must be from -23:59 to +23:59";
  return nullptr;
}

// A second 60 has become the first second of the next day by now.
bool may_follow_leap_second(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  return second == day && date.day() == std::chrono::day(1) &&
         (date.month() == std::chrono::January || date.month() == std::chrono::July);
}

WallTime moment_of(const Written& w) {
  using namespace std::chrono;
  const auto day = sys_days(year(w.year) / month(static_cast<unsigned>(w.month)) /
                            std::chrono::day(static_cast<unsigned>(w.day)));
  const auto local = day + hours(w.hour) + minutes(w.minute) + seconds(w.second);
  const auto offset = hours(w.offset_hour) + minutes(w.offset_minute);
  // A leap second has no number of its own: the fraction within it is cut.
  return (w.west ? local + offset : local - offset) + milliseconds(w.second == 60 ? 0 : w.ms);
}

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array<Unit, 5> units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

// The index of the unit at the front, which is taken; units.size() where there is none.
std::size_t take_unit(std::string_view* rest) {
  std::size_t letters = 0;
  while (letters < rest->size() && (*rest)[letters] >= 'a' && (*rest)[letters] <= 'z') ++letters;
  const std::string_view name = rest->substr(0, letters);
  std::size_t i = 0;
  while (i < units.size() && units[i].name != name) ++i;
  rest->remove_prefix(letters);
  return i;
}

// Digits, as a number that stops growing far above every bound.
std::optional<std::int64_t> take_whole(std::string_view* rest) {
  constexpr std::int64_t enough = 1'000'000'000'000'000;
  if (rest->empty() || !is_digit(rest->front())) return std::nullopt;
  std::int64_t value = 0;
  for (; !rest->empty() && is_digit(rest->front()); rest->remove_prefix(1)) {
    if (value < enough) value = value * 10 + (rest->front() - '0');
  }
  return value;
}

// A number with its unit, "1.5s", taken from the front.
struct Piece {
  std::int64_t whole = 0;
  std::string_view fraction;
  std::size_t unit = units.size();
  bool fits = false;
};
Piece take_piece(std::string_view* rest) {
  Piece piece;
  const auto whole = take_whole(rest);
  if (!whole) return piece;
  piece.whole = *whole;
  if (rest->starts_with('.')) {
    rest->remove_prefix(1);
    std::size_t digits = 0;
    while (digits < rest->size() && is_digit((*rest)[digits])) ++digits;
    piece.fraction = rest->substr(0, digits);
    rest->remove_prefix(digits);
    if (digits == 0) return piece;
  }
  piece.unit = take_unit(rest);
  piece.fits = piece.unit < units.size();
  return piece;
}

// The fraction of a unit in milliseconds, or nothing where it is finer.
std::optional<std::int64_t> fraction_of(std::string_view digits, std::int64_t unit_ms) {
  while (digits.ends_with('0')) digits.remove_suffix(1);
  if (digits.size() > 9) return std::nullopt;
  std::int64_t value = 0, scale = 1;
  for (const char c : digits) {
    value = value * 10 + (c - '0');
    scale *= 10;
  }
  if (value * unit_ms % scale != 0) return std::nullopt;
  return value * unit_ms / scale;
}

}  // namespace

Result<WallTime> parse_time(std::string_view text) {
  const auto written = read_time(text);
  if (!written) {
    return no_time(quoted(text) +
                   " is not a time such as 2030-01-31T12:00:00Z or 2030-01-31T14:00:00.5+02:00");
  }
  if (const char* why = impossible(*written)) return no_time(quoted(text) + ": " + why);
  const WallTime time = moment_of(*written);
  if (written->second == 60 && !may_follow_leap_second(time)) {
    return no_time(quoted(text) + ": the second must be from 00 to 59");
  }
  if (time < WallTime(milliseconds(0))) {
    return no_time(quoted(text) + " is before 1970: a time must be from 1970 to 9999");
  }
  if (time >= std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1)) {
    return no_time(quoted(text) + " is after 9999: a time must be from 1970 to 9999");
  }
  return time;
}

Result<milliseconds> parse_duration(std::string_view text) {
  const auto malformed = [text] {
    return no_time(quoted(text) +
                   " is not a duration such as 1h30m, 90s, 1.5s or 250ms: numbers with a unit (d, "
                   "h, m, s, ms), the largest unit first");
  };
  std::string_view rest = text;
  milliseconds sum{0};
  for (std::size_t next_unit = 0; next_unit == 0 || !rest.empty();) {
    const Piece piece = take_piece(&rest);
    const bool last = rest.empty();
    if (!piece.fits || piece.unit < next_unit || (!piece.fraction.empty() && !last)) {
      return malformed();
    }
    const std::int64_t unit_ms = units[piece.unit].ms;
    const auto part = fraction_of(piece.fraction, unit_ms);
    if (!part)
      return no_time(quoted(text) + " is more precise than a millisecond: use whole milliseconds");
    // Cut before it is multiplied: one above the bound is above it in any unit.
    sum +=
        milliseconds(std::min(piece.whole, duration_max.count() / unit_ms + 1) * unit_ms + *part);
    if (sum > duration_max) {
      return no_time(quoted(text) + " is too long: the longest duration is 100000d");
    }
    next_unit = piece.unit + 1;
  }
  return sum;
}

Result<std::chrono::system_clock::time_point> to_system_clock(WallTime time) {
  using Clock = std::chrono::system_clock;
  constexpr auto last = std::chrono::floor<milliseconds>(Clock::time_point::max());
  constexpr auto first = std::chrono::ceil<milliseconds>(Clock::time_point::min());
  if (time < first || time > last) {
    return no_time(
        "a time after April 2262 is outside the range of the clock; a job cannot be scheduled more "
        "than ten years ahead");
  }
  return Clock::time_point(time);
}

}  // namespace millrace
