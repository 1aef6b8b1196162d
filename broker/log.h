// How the process logs, on standard error. "auto": text at a terminal; under systemd text with a
// priority for the journal; else one JSON object a line. Names that come from peers are escaped.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

// format: auto, text or json, as the configuration has checked.
void start_logging(std::string_view level, std::string_view format);
// Whether standard error goes to systemd's journal, which reads a line's priority from its "<N>".
[[nodiscard]] bool logs_to_journal();
// One of debug, info, warn, error, as the configuration has checked.
void set_log_level(std::string_view level);

// A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace millrace
