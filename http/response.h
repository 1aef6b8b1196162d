// A response as bytes of HTTP/1.1.
#pragma once

#include "http/server.h"

#include <string>

namespace millrace::http {

struct Manner {
  bool head_only = false;       // the response to a HEAD
  bool last = false;            // the connection ends with it
  bool old_keep_alive = false;  // HTTP/1.0 has to be told that it does not
};
[[nodiscard]] std::string response_text(const Response& response, const Manner& manner);

}  // namespace millrace::http
