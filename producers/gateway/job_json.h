// Jobs as people write them in JSON, and as they are shown.
#pragma once

#include <millrace/client.h>
#include <millrace/job.h>

#include <string>
#include <string_view>
#include <vector>

namespace millrace::gateway {

struct ParsedJobs {
  std::vector<Job> jobs;
  bool array = false;
};
// One job object or an array of at most jobs_max of them.
[[nodiscard]] Result<ParsedJobs> parse_jobs(std::string_view body, const std::string& topic);
[[nodiscard]] std::string json_text(const JobView& view);

}  // namespace millrace::gateway
