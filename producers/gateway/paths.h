// Parses the paths of the gateway: the route and the topic or job that a request names.
#pragma once

#include <millrace/job.h>
#include <millrace/result.h>

#include <string>
#include <string_view>

namespace millrace::gateway {

struct Path {
  enum class To { health, ready, metrics, topic, job, nowhere };
  To to = To::nowhere;
  std::string topic;                            // of To::topic, as it was written
  Result<JobId> job = tl::unexpected(Error());  // of To::job
};
[[nodiscard]] Path read_path(std::string_view path);

}  // namespace millrace::gateway
