// The pages of the HTTP server: the answer for each path.
#pragma once

#include "admin/http_server.h"
#include "admin/metrics.h"
#include "admin/shard_snapshots.h"

namespace millrace::admin {

// Both must outlive the pages.
[[nodiscard]] Pages pages(const ShardSnapshots& snapshots, Metrics& metrics);

}  // namespace millrace::admin
