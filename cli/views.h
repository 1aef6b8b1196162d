// The SDK's views as JSON; times are milliseconds since 1970, ages milliseconds.
#pragma once

#include <millrace/client.h>

#include <nlohmann/json_fwd.hpp>

namespace millrace::cli {

[[nodiscard]] nlohmann::json json_of(const TopicView& view);
// Payload and result as text; with "payload_base64" instead where they are no UTF-8.
[[nodiscard]] nlohmann::json json_of(const JobView& view);
[[nodiscard]] nlohmann::json json_of(const ShardView& view);
[[nodiscard]] nlohmann::json json_of(const SessionView& view);

}  // namespace millrace::cli
