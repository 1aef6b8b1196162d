#include "admin/pages.h"

#include "net/connection_limiter.h"
#include "runtime/clock.h"

#include <cstdint>
#include <vector>

namespace millrace::admin {
namespace {

http::Response health(const std::vector<std::string>& wrong) {
  if (wrong.empty()) return text_page(200, "ok");
  http::Response page{.status = 503, .type = "text/plain; charset=utf-8"};
  for (const auto& sentence : wrong) page.body += sentence + "\n";
  return page;
}

// The shards are healthy, but a new client would be refused.
std::vector<std::string> not_ready(const ShardSnapshots& snapshots, std::int64_t now_mono_ms) {
  auto wrong = snapshots.problems(now_mono_ms, true);
  const auto limiter = net::ConnectionLimiter::instance().facts();
  if (limiter.refusing) {
    wrong.push_back("new connections are refused: " + std::to_string(limiter.open) + " of " +
                    std::to_string(limiter.room) +
                    " are open, as many as the limit of open files allows: raise the limit or "
                    "close connections");
  }
  return wrong;
}

http::Response not_allowed() {
  http::Response page = text_page(405, "only GET and HEAD are allowed");
  page.headers.emplace_back("Allow", "GET, HEAD");
  return page;
}

}  // namespace

http::Response text_page(int status, const std::string& sentence) {
  return {.status = status, .type = "text/plain; charset=utf-8", .body = sentence + "\n"};
}

Pages pages(const ShardSnapshots& snapshots, Metrics& metrics) {
  return [&](const std::string& method, const std::string& path) -> http::Response {
    if (method != "GET" && method != "HEAD") return not_allowed();
    const std::int64_t now_mono_ms = runtime::read_clocks().mono_ms;
    if (path == "/healthz") return health(snapshots.problems(now_mono_ms, false));
    if (path == "/readyz") return health(not_ready(snapshots, now_mono_ms));
    if (path != "/metrics")
      return text_page(404, "unknown path: the known paths are /metrics, /healthz and /readyz");
    return {.type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics.text(snapshots.read())};
  };
}

}  // namespace millrace::admin
