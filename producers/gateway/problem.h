// Errors as problem details (RFC 9457), with the protocol's code.
#pragma once

#include "http/server.h"

#include <millrace/result.h>

namespace millrace::gateway {

[[nodiscard]] int status_of(ErrorCode code);
[[nodiscard]] http::Response problem(const Error& error);
[[nodiscard]] http::Response problem(int status, ErrorCode code, const std::string& detail);
// Of a request that was not understood.
[[nodiscard]] http::Response refusal(int status, const std::string& detail);

}  // namespace millrace::gateway
