// The gauges of the metrics, made from the shards' snapshots and the counts of the connection
// limiter.
#pragma once

#include "admin/shard_snapshots.h"
#include "net/connection_limiter.h"

#include <prometheus/metric_family.h>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::admin {

// label: the name under which a topic is shown; several topics may share one.
[[nodiscard]] std::vector<prometheus::MetricFamily> gauges_of(
    const std::vector<ShardSnapshot>& shards,
    const std::function<std::string(std::string_view)>& label);

// The connection metrics of the whole process; those of refused and silent connections are
// counters.
[[nodiscard]] std::vector<prometheus::MetricFamily> connections_of(
    const net::ConnectionFacts& facts);

}  // namespace millrace::admin
