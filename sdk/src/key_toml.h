// The TOML of files with keys. The only place of the SDK that includes the parser, whose settings
// must be the same in every file that is compiled with it.
// Threads: pure function.
#pragma once

#include <millrace/result.h>

#include <string>

#define TOML_HEADER_ONLY 1
// toml++ 3.3.0 asserts that the name in [ ] begins as a name does, and reports it as an error after
// that: a wrong file must not end the program.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace millrace {

// what: "a key file", for an error, which names the line and never quotes the text.
[[nodiscard]] Result<toml::table> parse_key_toml(const std::string& text, const std::string& path,
                                                 const std::string& what);

}  // namespace millrace
