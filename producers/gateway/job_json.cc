// Jobs in JSON.
#include "job_json.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

namespace millrace::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t jobs_max = 1'024;
constexpr int nesting_max = 64;  // the library writes nested values by recursion

tl::unexpected<Error> invalid(std::string what) {
  return tl::unexpected(Error{ErrorCode::invalid, std::move(what), {}});
}

bool nests_too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > nesting_max) return true;
  }
  return false;
}

std::optional<std::string> base64_decoded(std::string_view text) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const auto value = digits.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>(bits >> static_cast<unsigned>(have) & 0xffU);
  }
  return out;
}

std::optional<std::chrono::system_clock::time_point> time_of(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  // In whole years that the clock's nanoseconds can hold.
  constexpr int year_min = 1970 - 1900, year_max = 2261 - 1900;
  const bool holds = parts.tm_year >= year_min && parts.tm_year <= year_max;
  if (end == nullptr || *end != '\0' || !holds) return std::nullopt;
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

// What is wrong with the field, or empty.
std::string read_field(Job* job, const std::string& name, const json& value) {
  constexpr std::uint64_t number_max = 1ULL << 50U;
  const bool text = value.is_string();
  const bool number = value.is_number_unsigned() && value.get<std::uint64_t>() <= number_max;
  const auto small = [&value] {
    return static_cast<int>(std::min<std::uint64_t>(value.get<std::uint64_t>(), 1'000'000));
  };
  if (name == "payload") {
    job->payload = text ? value.get<std::string>() : value.dump();
  } else if (name == "payload_base64") {
    const auto bytes = text ? base64_decoded(value.get<std::string>()) : std::nullopt;
    if (!bytes) return "payload_base64 is base64 in a string";
    job->payload = *bytes;
  } else if (name == "key" || name == "headers") {
    if (!text) return name + " is a string";
    (name == "key" ? job->key : job->headers) = value.get<std::string>();
  } else if (name == "priority") {
    if (!number) return "priority is a number from 0 (first) to 9";
    job->priority = small();
  } else if (name == "max_attempts") {
    if (!number) return "max_attempts is a number from 1 to 1000";
    job->max_attempts = small();
  } else if (name == "delay_ms") {
    if (!number) return "delay_ms is a number of milliseconds";
    job->delay = std::chrono::milliseconds(value.get<std::int64_t>());
  } else if (name == "run_at") {
    job->run_at = text ? time_of(value.get<std::string>()) : std::nullopt;
    if (!job->run_at) return "run_at is a time in UTC such as 2030-01-31T12:00:00Z";
  } else {
    return "a job has no field '" + name +
           "'; it has payload, payload_base64, key, priority, delay_ms, run_at, max_attempts and "
           "headers";
  }
  return {};
}

Result<Job> job_of(const json& value, const std::string& topic) {
  if (!value.is_object()) return invalid("a job is a JSON object such as {\"payload\": \"...\"}");
  Job job{.topic = topic};
  for (const auto& [name, field] : value.items()) {
    if (auto wrong = read_field(&job, name, field); !wrong.empty()) return invalid(wrong);
  }
  return job;
}

std::int64_t ms_of(JobView::Time time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

Result<ParsedJobs> parse_jobs(std::string_view body, const std::string& topic) {
  if (nests_too_deep(body)) return invalid("the JSON nests deeper than 64 levels");
  const json value = json::parse(body, nullptr, false);
  if (value.is_discarded()) return invalid("the body is not JSON");
  ParsedJobs parsed;
  parsed.array = value.is_array();
  if (!parsed.array) {
    auto job = job_of(value, topic);
    if (!job) return tl::unexpected(job.error());
    parsed.jobs.push_back(std::move(*job));
    return parsed;
  }
  if (value.empty()) return invalid("the array has no job");
  if (value.size() > jobs_max) {
    return tl::unexpected(Error{ErrorCode::too_large, "an array has at most 1024 jobs", {}});
  }
  for (const auto& element : value) {
    auto job = job_of(element, topic);
    if (!job) {
      job.error().message =
          "job " + std::to_string(parsed.jobs.size()) + ": " + job.error().message;
      return tl::unexpected(job.error());
    }
    parsed.jobs.push_back(std::move(*job));
  }
  return parsed;
}

std::string json_text(const JobView& view) {
  json out{{"id", view.id.str()},
           {"state", to_string(view.state)},
           {"priority", view.priority},
           {"attempt", view.attempt},
           {"max_attempts", view.max_attempts},
           {"enqueued_ms", ms_of(view.enqueued_at)},
           {"payload_bytes", view.payload_bytes}};
  if (!view.key.empty()) out["key"] = view.key;
  if (view.due_at) out["due_ms"] = ms_of(*view.due_at);
  if (view.finished_at) out["finished_ms"] = ms_of(*view.finished_at);
  if (view.percent) out["percent"] = *view.percent;
  if (!view.error.empty()) out["error"] = view.error;
  if (!view.dead_reason.empty()) out["reason"] = view.dead_reason;
  if (!view.result.empty()) out["result"] = view.result;
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace millrace::gateway
