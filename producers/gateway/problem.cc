// Errors as problem details.
#include "problem.h"

#include "http/server.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace millrace::gateway {
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

http::Response problem(int status, ErrorCode code, const std::string& detail) {
  const nlohmann::json body{{"type", "about:blank"},
                            {"title", http::reason_of(status)},
                            {"status", status},
                            {"code", to_string(code)},
                            {"detail", detail}};
  http::Response answer{status,
                        "application/problem+json",
                        body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                        {}};
  if (status == 415) answer.headers.emplace_back("Accept-Encoding", "gzip, zstd");
  if (status == 503) answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

http::Response refusal(int status, const std::string& detail) {
  switch (status) {
    case 408: return problem(status, ErrorCode::timeout, detail);
    case 413:
    case 414:
    case 431: return problem(status, ErrorCode::too_large, detail);
    case 503: return problem(status, ErrorCode::overloaded, detail);
    default: return problem(status, ErrorCode::invalid, detail);
  }
}

http::Response problem(const Error& error) {
  http::Response answer = problem(status_of(error.code), error.code, error.message);
  const auto wait = std::chrono::ceil<std::chrono::seconds>(error.retry_after).count();
  for (auto& [name, value] : answer.headers) {
    if (name == "Retry-After" && wait > 1) value = std::to_string(wait);
  }
  return answer;
}

}  // namespace millrace::gateway
