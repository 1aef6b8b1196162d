#include "job_line.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace millrace::cli {

using nlohmann::json;

Result<Job> job_of(const Options& options, std::string payload) {
  Job job{.topic = options.topic, .payload = std::move(payload), .key = options.key};
  job.priority = options.priority;
  job.max_attempts = options.max_attempts;
  job.delay = options.delay;
  if (options.run_at.empty()) return job;
  std::tm parts{};
  const char* end = strptime(options.run_at.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  // In whole years that the clock's nanoseconds can hold.
  constexpr int year_min = 1970 - 1900, year_max = 2261 - 1900;
  const bool holds = parts.tm_year >= year_min && parts.tm_year <= year_max;
  if (end == nullptr || *end != '\0' || !holds) {
    return tl::unexpected(
        Error{ErrorCode::invalid, "--run-at takes a time in UTC such as 2030-01-31T12:00:00Z", {}});
  }
  job.run_at = std::chrono::system_clock::from_time_t(timegm(&parts));
  return job;
}

Result<Job> job_of_line(const Options& options, const std::string& line) {
  const auto wrong = [](const std::string& what) {
    return tl::unexpected(Error{ErrorCode::invalid, what, {}});
  };
  const json value = json::parse(line, nullptr, false);
  if (!value.is_object()) return wrong("is no JSON object");
  Result<Job> job = job_of(options, {});
  if (!job) return job;
  for (const auto& [name, field] : value.items()) {
    const bool number = field.is_number_unsigned() && field.get<std::uint64_t>() <= 1ULL << 50U;
    if (name == "payload") {
      job->payload = field.is_string() ? field.get<std::string>() : field.dump();
    } else if (name == "key" && field.is_string()) {
      job->key = field.get<std::string>();
    } else if (name == "priority" && number) {
      job->priority = static_cast<int>(std::min<std::uint64_t>(field.get<std::uint64_t>(), 1'000));
    } else if (name == "max_attempts" && number) {
      job->max_attempts =
          static_cast<int>(std::min<std::uint64_t>(field.get<std::uint64_t>(), 100'000));
    } else if (name == "delay_ms" && number) {
      job->delay = std::chrono::milliseconds(field.get<std::int64_t>());
    } else {
      return wrong("has '" + name +
                   "' (or a wrong value of it); known are payload, key, priority, max_attempts "
                   "and delay_ms");
    }
  }
  return job;
}

}  // namespace millrace::cli
