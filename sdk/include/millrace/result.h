// The result of a call that can fail as expected: a value, or an Error with a code and a sentence.
// Exceptions are not used for this; programmer errors assert.
#pragma once

#include <millrace/export.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace millrace {

// The protocol's codes (docs/protocol.md, Errors), and three codes at the end that only a client
// produces.
enum class ErrorCode : std::uint8_t {
  invalid,
  too_large,
  unsupported_version,
  unknown_verb,
  no_session,
  unauthorized,
  forbidden,
  unknown_topic,
  not_found,
  conflict,
  not_owner,
  overloaded,
  stale,
  duplicate,
  disk_full,
  shutting_down,
  outcome_unknown,  // sent, never answered: it may have happened
  timeout,          // the broker did not answer a query in time
  unavailable,      // never sent: nothing happened
};

// The code as the protocol spells it, for example "unknown_topic".
[[nodiscard]] MILLRACE_EXPORT std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::invalid;
  std::string message;                       // a sentence that says what happened and what to do
  std::chrono::milliseconds retry_after{0};  // when waiting helps, else 0
};

template <typename T>
using Result = tl::expected<T, Error>;

}  // namespace millrace
