// Strict JSON (RFC 8259), parsed in place: each value is a slice of the text, so that a value can
// be kept byte for byte. Numbers have any size. Text is UTF-8, and an escape of half a surrogate
// pair is refused. Bounds: 64 levels of nesting.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::gateway::json_scan {

// What is wrong with the text, with the byte where it is; empty for one JSON value.
[[nodiscard]] std::string fault_of(std::string_view text);

// Of a text without a fault, and of the slices below.
enum class Kind { object, array, text, number, word };
[[nodiscard]] std::string_view trimmed(std::string_view text);  // without the space around it
[[nodiscard]] Kind kind_of(std::string_view value);
[[nodiscard]] std::string decoded(std::string_view text);  // a text without quotes and escapes

// Each member or element in order; a visitor that answers false ends the walk.
using Member = std::function<bool(std::string_view name, std::string_view value)>;
using Element = std::function<bool(std::string_view value)>;
void each_member(std::string_view object, const Member& visit);  // the name with its quotes
void each_element(std::string_view array, const Element& visit);

}  // namespace millrace::gateway::json_scan
