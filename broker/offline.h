// What millraced does with files while no broker runs on them: --verify and --restore.
#pragma once

#include <optional>

namespace millrace {

// None when the words ask for neither; else the exit code, everything said.
[[nodiscard]] std::optional<int> run_offline(int count, char** arguments);

}  // namespace millrace
