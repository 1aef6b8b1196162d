// Jobs in JSON: the parser for requests, and the output of a job's view.
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
