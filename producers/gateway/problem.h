// Errors as problem details (RFC 9457), with the protocol's code.
#pragma once

#include "http_server.h"

#include <millrace/result.h>

namespace millrace::gateway {

[[nodiscard]] int status_of(ErrorCode code);
[[nodiscard]] Answer problem(const Error& error);
[[nodiscard]] Answer problem(int status, ErrorCode code, const std::string& detail);
// Of a request that was not understood.
[[nodiscard]] Answer refusal(int status, const std::string& detail);

}  // namespace millrace::gateway
