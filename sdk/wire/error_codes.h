// The error codes as the protocol spells them, converted to the enum.
#pragma once

#include <millrace/result.h>

#include <optional>
#include <string_view>

namespace millrace::wire {

[[nodiscard]] std::optional<ErrorCode> parse_code(std::string_view text);

}  // namespace millrace::wire
