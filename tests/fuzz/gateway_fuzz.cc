// Any bytes as a request of the gateway: a line with the path, then the body.
#include "job_json.h"
#include "paths.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::gateway;
  const std::string_view request(reinterpret_cast<const char*>(data), size);
  const auto end = request.find('\n');
  const Path path = read_path(request.substr(0, end));
  if (path.to == Path::To::job && path.job) {
    const std::string text = path.job->str();
    if (request.substr(0, end) != "/v1/jobs/" + text) std::abort();  // one name for one job
    millrace::JobView view;
    view.id = *path.job;
    if (end != std::string_view::npos) view.error = request.substr(end);
    (void)json_text(view);
  }
  if (end == std::string_view::npos) return 0;
  const auto jobs = parse_jobs(request.substr(end + 1), path.topic);
  if (jobs && jobs->jobs.empty()) std::abort();
  return 0;
}
