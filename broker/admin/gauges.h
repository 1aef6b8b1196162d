// The gauges, made of what the shards published and what the gate of connections counts.
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

// Of the whole process; the refused and silent ones are counters.
[[nodiscard]] std::vector<prometheus::MetricFamily> connections_of(const net::GateFacts& facts);

}  // namespace millrace::admin
