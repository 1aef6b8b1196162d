#include "admin/pages.h"

#include "net/connection_limiter.h"
#include "runtime/clock.h"

namespace millrace::admin {
namespace {

Page health(const std::vector<std::string>& wrong) {
  Page page{.status = wrong.empty() ? 200U : 503U, .body = wrong.empty() ? "ok\n" : ""};
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

}  // namespace

Pages pages(const ShardSnapshots& snapshots, Metrics& metrics) {
  return [&snapshots, &metrics](const std::string& path) -> Page {
    const std::int64_t now_mono_ms = runtime::read_clocks().mono_ms;
    if (path == "/healthz") return health(snapshots.problems(now_mono_ms, false));
    if (path == "/readyz") return health(not_ready(snapshots, now_mono_ms));
    if (path != "/metrics") return {};
    return {.status = 200,
            .type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics.text(snapshots.read())};
  };
}

}  // namespace millrace::admin
