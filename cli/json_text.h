// JSON as text: the positions of an object's members, so that a value can be kept byte for byte.
#pragma once

#include <millrace/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

struct Member {
  std::string name;
  std::string_view value;  // as it stands in the text, without the blanks around it
};

// The members of the one object that the text is, in their order. Strict as RFC 8259 (UTF-8, no
// number is too large, for none is computed), and nested at most 256 deep. An error's sentence
// continues "the line ...".
[[nodiscard]] Result<std::vector<Member>> members_of(std::string_view text);

}  // namespace millrace::cli
