// The gauges, made of what the shards published.
#pragma once

#include "admin/board.h"

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

}  // namespace millrace::admin
