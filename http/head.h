// The request line and the headers of a request, read strictly.
#pragma once

#include "http/request.h"
#include "http/server.h"

#include <optional>

namespace millrace::http {

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

struct Head {
  Request request;
  HeaderFields fields;
};
// All lines of the head, each with its CR LF, without the empty one. Into *head, or a fault.
[[nodiscard]] std::optional<Fault> read_head(std::string_view text, Head* head);

// One line "Name: value" without its CR LF.
[[nodiscard]] std::optional<Fault> read_field(std::string_view line, HeaderFields* fields);

// How long the body is, by what the headers say.
struct Framing {
  bool chunked = false;
  std::uint64_t length = 0;
  bool go_ahead = false;  // the client waits to be told
};
[[nodiscard]] std::optional<Fault> read_framing(const HeaderFields& fields, bool old,
                                                Framing* framing);

}  // namespace millrace::http
