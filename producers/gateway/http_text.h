// An answer as bytes of HTTP/1.1.
#pragma once

#include "http_server.h"

#include <string>

namespace millrace::gateway {

[[nodiscard]] const char* reason_of(int status);

struct Manner {
  bool head_only = false;       // the answer to a HEAD
  bool last = false;            // the connection ends with it
  bool old_keep_alive = false;  // HTTP/1.0 has to be told that it does not
};
[[nodiscard]] std::string response_text(const Answer& answer, const Manner& manner);

}  // namespace millrace::gateway
