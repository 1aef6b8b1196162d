// The pages of the HTTP server: the answer for each path.
#pragma once

#include "admin/metrics.h"
#include "admin/shard_snapshots.h"
#include "http/server.h"

#include <functional>
#include <string>

namespace millrace::admin {

using Pages = std::function<http::Response(const std::string& method, const std::string& path)>;

// Both must outlive the pages.
[[nodiscard]] Pages pages(const ShardSnapshots& snapshots, Metrics& metrics);

// A sentence for people, who read it with curl.
[[nodiscard]] http::Response text_page(int status, const std::string& sentence);

}  // namespace millrace::admin
