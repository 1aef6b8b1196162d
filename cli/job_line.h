// Jobs as users write them: options and a payload, or a line of JSON.
#pragma once

#include "options.h"

#include <millrace/job.h>
#include <millrace/result.h>

#include <string>

namespace millrace::cli {

[[nodiscard]] Job job_of(const Options& options, std::string payload);
// The line's own fields win over the options. An error's sentence continues "line 7 ...".
[[nodiscard]] Result<Job> job_of_line(const Options& options, const std::string& line);

}  // namespace millrace::cli
