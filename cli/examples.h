// The examples of --help: each is run by tests/integration/test_cli_help.py.
#pragma once

#include <string_view>

namespace millrace::cli {

// Lines "  millrace ..."; empty for a command without any.
[[nodiscard]] std::string_view examples_of(std::string_view command);

}  // namespace millrace::cli
