#include "http/response.h"

#include <ctime>

namespace millrace::http {
namespace {

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  const std::size_t bytes = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, bytes};
}

}  // namespace

const char* reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
  }
}

std::string response_text(const Response& response, const Manner& manner) {
  std::string out =
      "HTTP/1.1 " + std::to_string(response.status) + " " + reason_of(response.status);
  const auto header = [&out](const std::string& name, const std::string& value) {
    out.append("\r\n").append(name).append(": ").append(value);
  };
  header("Date", date_text());
  header("Content-Type", response.type);
  header("Content-Length", std::to_string(response.body.size()));
  header("Cache-Control", "no-store");
  for (const auto& [name, value] : response.headers) header(name, value);
  if (manner.last)
    header("Connection", "close");
  else if (manner.old_keep_alive)
    header("Connection", "keep-alive");
  out += "\r\n\r\n";
  if (!manner.head_only) out += response.body;
  return out;
}

}  // namespace millrace::http
