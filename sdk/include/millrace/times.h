// Times and durations as people and other programs write them: one parser for the command line,
// HTTP and settings. It guesses nothing: malformed text is refused with a sentence that says what
// is wrong with it. Threads: any.
#pragma once

#include <millrace/export.h>
#include <millrace/result.h>

#include <chrono>
#include <string_view>

namespace millrace {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// RFC 3339, with Z or an offset: 2030-01-31T12:00:00Z, 2030-01-31T12:00:00.123+02:00. From 1970 to
// the end of 9999. Digits of a fraction beyond milliseconds are dropped. The second 60 is accepted
// where a leap second is possible (the end of June or December in UTC) and is the first moment
// after it.
[[nodiscard]] MILLRACE_EXPORT Result<std::chrono::sys_time<std::chrono::milliseconds>> parse_time(
    std::string_view text);

// Whole numbers with a unit, largest first: 1h30m, 90s, 250ms, 2d; the last may have a fraction
// (1.5s). Units are d, h, m, s and ms. Never without a unit, never negative, at most 100,000 days.
[[nodiscard]] MILLRACE_EXPORT Result<std::chrono::milliseconds> parse_duration(
    std::string_view text);

// The same time on the system's clock, as Job::run_at has it. That clock counts nanoseconds and
// ends in April 2262: later times are an error.
[[nodiscard]] MILLRACE_EXPORT Result<std::chrono::system_clock::time_point> to_system_clock(
    WallTime time);

}  // namespace millrace
