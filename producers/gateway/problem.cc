// Errors as problem details.
#include "problem.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace millrace::gateway {
namespace {

const char* title_of(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Error";
  }
}

}  // namespace

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid: return 400;
    case ErrorCode::too_large: return 413;
    case ErrorCode::unknown_topic:
    case ErrorCode::not_found: return 404;
    case ErrorCode::conflict: return 409;
    case ErrorCode::unauthorized: return 401;
    case ErrorCode::forbidden: return 403;
    case ErrorCode::outcome_unknown:
    case ErrorCode::timeout: return 504;
    default: return 503;
  }
}

Answer problem(int status, ErrorCode code, const std::string& detail) {
  const nlohmann::json body{{"type", "about:blank"},
                            {"title", title_of(status)},
                            {"status", status},
                            {"code", to_string(code)},
                            {"detail", detail}};
  Answer answer{status,
                "application/problem+json",
                body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                {}};
  if (status == 503) answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

Answer problem(const Error& error) {
  return problem(status_of(error.code), error.code, error.message);
}

}  // namespace millrace::gateway
