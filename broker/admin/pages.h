// What each path of the HTTP server shows.
#pragma once

#include "admin/board.h"
#include "admin/http_server.h"
#include "admin/metrics.h"

namespace millrace::admin {

// Both must outlive the pages.
[[nodiscard]] Pages pages(const Board& board, Metrics& metrics);

}  // namespace millrace::admin
