// The commands of millraced that work on files while no broker runs on them: --verify and
// --restore.
#pragma once

#include <optional>

namespace millrace {

// Empty if the command line has neither option; else the exit code, after all output.
[[nodiscard]] std::optional<int> run_offline(int count, char** arguments);

}  // namespace millrace
