#include "wire/error_codes.h"

#include <array>
#include <cstddef>
#include <utility>

namespace millrace {
namespace {

constexpr std::array<std::pair<ErrorCode, std::string_view>, 19> codes{{
    {ErrorCode::invalid, "invalid"},
    {ErrorCode::too_large, "too_large"},
    {ErrorCode::unsupported_version, "unsupported_version"},
    {ErrorCode::unknown_verb, "unknown_verb"},
    {ErrorCode::no_session, "no_session"},
    {ErrorCode::unauthorized, "unauthorized"},
    {ErrorCode::forbidden, "forbidden"},
    {ErrorCode::unknown_topic, "unknown_topic"},
    {ErrorCode::not_found, "not_found"},
    {ErrorCode::conflict, "conflict"},
    {ErrorCode::not_owner, "not_owner"},
    {ErrorCode::overloaded, "overloaded"},
    {ErrorCode::stale, "stale"},
    {ErrorCode::duplicate, "duplicate"},
    {ErrorCode::disk_full, "disk_full"},
    {ErrorCode::shutting_down, "shutting_down"},
    {ErrorCode::outcome_unknown, "outcome_unknown"},
    {ErrorCode::timeout, "timeout"},
    {ErrorCode::unavailable, "unavailable"},
}};

}  // namespace

std::string_view to_string(ErrorCode code) {
  for (const auto& [known, text] : codes) {
    if (known == code) return text;
  }
  return "invalid";
}

namespace wire {

std::optional<ErrorCode> parse_code(std::string_view text) {
  for (const auto& [code, known] : codes) {
    if (known == text) return code;
  }
  return std::nullopt;
}

}  // namespace wire
}  // namespace millrace
