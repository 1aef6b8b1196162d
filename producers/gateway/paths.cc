#include "paths.h"

namespace millrace::gateway {

Path read_path(std::string_view path) {
  constexpr std::string_view topics = "/v1/topics/", jobs = "/v1/jobs/", tail = "/jobs";
  Path read;
  if (path == "/healthz") {
    read.to = Path::To::health;
  } else if (path == "/readyz") {
    read.to = Path::To::ready;
  } else if (path == "/metrics") {
    read.to = Path::To::metrics;
  } else if (path.starts_with(topics) && path.ends_with(tail) &&
             path.size() > topics.size() + tail.size()) {
    read.to = Path::To::topic;
    read.topic = path.substr(topics.size(), path.size() - topics.size() - tail.size());
  } else if (path.starts_with(jobs)) {
    read.to = Path::To::job;
    read.job = JobId::parse(path.substr(jobs.size()));
  }
  return read;
}

}  // namespace millrace::gateway
