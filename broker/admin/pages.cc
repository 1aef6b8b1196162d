#include "admin/pages.h"

#include "runtime/clock.h"

namespace millrace::admin {
namespace {

Page health(const std::vector<std::string>& wrong) {
  Page page{.status = wrong.empty() ? 200U : 503U, .body = wrong.empty() ? "ok\n" : ""};
  for (const auto& sentence : wrong) page.body += sentence + "\n";
  return page;
}

}  // namespace

Pages pages(const Board& board, Metrics& metrics) {
  return [&board, &metrics](const std::string& path) -> Page {
    const std::int64_t now_mono_ms = runtime::read_clocks().mono_ms;
    if (path == "/healthz") return health(board.ills(now_mono_ms, false));
    if (path == "/readyz") return health(board.ills(now_mono_ms, true));
    if (path != "/metrics") return {};
    return {.status = 200,
            .type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics.text(board.read())};
  };
}

}  // namespace millrace::admin
