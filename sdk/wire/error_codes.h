// The codes of errors as the protocol spells them, back to the enum.
#pragma once

#include <millrace/result.h>

#include <optional>
#include <string_view>

namespace millrace::wire {

[[nodiscard]] std::optional<ErrorCode> parse_code(std::string_view text);

}  // namespace millrace::wire
