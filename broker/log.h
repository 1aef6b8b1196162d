// How the process logs, on standard error: text for a person at a terminal, else one JSON object a
// line, escaped whatever a peer put into a name.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

void start_logging(std::string_view level);
// One of debug, info, warn, error, as the configuration has checked.
void set_log_level(std::string_view level);

// A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace millrace
