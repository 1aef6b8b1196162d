// A log on standard error, for programs that have none of their own.
#pragma once

#include <millrace/connection.h>
#include <millrace/export.h>

#include <string_view>

namespace millrace {

// Writes one line, "program: text". Where standard error goes to systemd's journal, the line begins
// with its priority as sd-daemon(3) has it ("<4>" for a warning), so that `journalctl -p warning`
// finds it. Any thread; lines of several threads do not mix. As ConnectionOptions::log:
//   [](LogLevel level, std::string_view text) { write_log_line(level, "my-program", text); }
MILLRACE_EXPORT void write_log_line(LogLevel level, std::string_view program,
                                    std::string_view text);

}  // namespace millrace
