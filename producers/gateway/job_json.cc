// Jobs in JSON.
#include "job_json.h"

#include "base64.h"
#include "json_scan.h"
#include "utf8.h"

#include <millrace/times.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace millrace::gateway {
namespace {

using json_scan::Kind;
using nlohmann::json;

constexpr std::size_t jobs_max = 1'024;
constexpr std::uint64_t number_max = 1ULL << 50U;

tl::unexpected<Error> invalid(std::string what) {
  return tl::unexpected(Error{ErrorCode::invalid, std::move(what), {}});
}

// A name of the caller's in a message: short.
std::string shown(const std::string& name) {
  return "'" + (name.size() > 64 ? name.substr(0, 64) + "..." : name) + "'";
}

std::optional<std::string> text_of(std::string_view value) {
  if (json_scan::kind_of(value) != Kind::text) return std::nullopt;
  return json_scan::decoded(value);
}

// Digits alone: 1.0, 1e1 and -0 are not taken for a count.
std::optional<std::int64_t> count_of(std::string_view value) {
  std::uint64_t count = 0;
  const auto [end, wrong] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (wrong != std::errc{} || end != value.data() + value.size() || count > number_max) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(count);
}

// The same for a field whose bounds the SDK's check() knows.
std::optional<int> small_count_of(std::string_view value) {
  const auto count = count_of(value);
  if (!count || *count > std::numeric_limits<int>::max()) return std::nullopt;
  return static_cast<int>(*count);
}

// A field's value into the job: what is wrong with its kind, or empty.
using Read = std::string (*)(Job*, std::string_view value);

std::string read_payload(Job* job, std::string_view value) {
  if (const auto text = text_of(value)) {
    job->payload = *text;
  } else {
    job->payload = value;  // as it stands: numbers, order and space are the caller's
  }
  return {};
}
std::string read_payload_base64(Job* job, std::string_view value) {
  const auto text = text_of(value);
  const auto bytes = text ? base64_decoded(*text) : std::nullopt;
  if (!bytes) return "payload_base64 must be a string in base64";
  job->payload = *bytes;
  return {};
}
std::string read_key(Job* job, std::string_view value) {
  const auto text = text_of(value);
  if (!text) return "key must be a string";
  job->key = *text;
  return {};
}

std::string read_headers(Job* job, std::string_view value) {
  if (json_scan::kind_of(value) != Kind::object) return "headers must be an object of strings";
  std::string wrong;
  json_scan::each_member(value, [&](std::string_view quoted, std::string_view quoted_text) {
    const std::string name = json_scan::decoded(quoted);
    const auto text = text_of(quoted_text);
    if (!text) {
      wrong = "headers: " + shown(name) + " must be a string";
    } else if (!job->headers.emplace(name, *text).second) {
      wrong = "headers: " + shown(name) + " is given twice";
    }
    return wrong.empty();
  });
  return wrong;
}

std::string read_priority(Job* job, std::string_view value) {
  job->priority = small_count_of(value);
  if (!job->priority) return "priority must be a number from 0 (first) to 9";
  return {};
}
std::string read_max_attempts(Job* job, std::string_view value) {
  job->max_attempts = small_count_of(value);
  if (!job->max_attempts) return "max_attempts must be a number from 1 to 1000";
  return {};
}
std::string read_delay_ms(Job* job, std::string_view value) {
  const auto count = count_of(value);
  if (!count) return "delay_ms must be a number of milliseconds";
  job->delay = std::chrono::milliseconds(*count);
  return {};
}
std::string read_delay(Job* job, std::string_view value) {
  const auto text = text_of(value);
  if (!text) return "delay must be a string such as \"1h30m\"";
  const auto delay = parse_duration(*text);
  if (!delay) return "delay: " + delay.error().message;
  job->delay = *delay;
  return {};
}
std::string read_run_at(Job* job, std::string_view value) {
  const auto text = text_of(value);
  if (!text) return "run_at must be a string such as \"2030-01-31T12:00:00Z\"";
  const auto at = parse_time(*text).and_then(to_system_clock);
  if (!at) return "run_at: " + at.error().message;
  job->run_at = *at;
  return {};
}

struct Field {
  std::string_view name;
  Read read;
};
constexpr Field fields[] = {{"payload", read_payload}, {"payload_base64", read_payload_base64},
                            {"key", read_key},         {"priority", read_priority},
                            {"delay", read_delay},     {"delay_ms", read_delay_ms},
                            {"run_at", read_run_at},   {"max_attempts", read_max_attempts},
                            {"headers", read_headers}};
// Of each group at most one is given.
constexpr std::string_view either[][2] = {{"payload", "payload_base64"},
                                          {"delay", "delay_ms"},
                                          {"delay", "run_at"},
                                          {"delay_ms", "run_at"}};

std::string read_member(Job* job, std::set<std::string>* given, const std::string& name,
                        std::string_view value) {
  const auto* field = std::find_if(std::begin(fields), std::end(fields),
                                   [&name](const Field& f) { return f.name == name; });
  if (field == std::end(fields)) {
    std::string known;
    for (const Field& f : fields) known.append(known.empty() ? "" : ", ").append(f.name);
    return "unknown field " + shown(name) + "; known fields are " + known;
  }
  if (!given->insert(name).second) return name + " is given twice";
  for (const auto& [one, other] : either) {
    if (given->contains(std::string(one)) && given->contains(std::string(other))) {
      return std::string(one) + " and " + std::string(other) + " cannot be used together";
    }
  }
  return field->read(job, value);
}

Result<Job> job_of(std::string_view value, const std::string& topic) {
  if (json_scan::kind_of(value) != Kind::object) {
    return invalid("a job must be a JSON object such as {\"payload\": \"...\"}");
  }
  Job job{.topic = topic};
  std::string wrong;
  std::set<std::string> given;
  json_scan::each_member(value, [&](std::string_view name, std::string_view member) {
    wrong = read_member(&job, &given, json_scan::decoded(name), member);
    return wrong.empty();
  });
  if (!wrong.empty()) return invalid(wrong);
  if (auto well = check(job); !well) return tl::unexpected(well.error());
  return job;
}

Result<ParsedJobs> jobs_of_array(std::string_view array, const std::string& topic) {
  ParsedJobs parsed;
  parsed.array = true;
  std::optional<Error> wrong;
  json_scan::each_element(array, [&](std::string_view element) {
    if (parsed.jobs.size() == jobs_max) {
      wrong = Error{ErrorCode::too_large, "the array has more than 1024 jobs", {}};
      return false;
    }
    auto job = job_of(element, topic);
    if (job) {
      parsed.jobs.push_back(std::move(*job));
      return true;
    }
    wrong = Error{job.error().code,
                  "job " + std::to_string(parsed.jobs.size()) + ": " + job.error().message,
                  {}};
    return false;
  });
  if (wrong) return tl::unexpected(*wrong);
  if (parsed.jobs.empty()) return invalid("the array has no jobs");
  return parsed;
}

std::int64_t ms_of(JobView::Time time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

Result<ParsedJobs> parse_jobs(std::string_view body, const std::string& topic) {
  if (const auto fault = json_scan::fault_of(body); !fault.empty()) {
    return invalid("the body is not valid JSON, " + fault);
  }
  const std::string_view value = json_scan::trimmed(body);
  if (json_scan::kind_of(value) == Kind::array) return jobs_of_array(value, topic);
  auto job = job_of(value, topic);
  if (!job) return tl::unexpected(job.error());
  ParsedJobs parsed;
  parsed.jobs.push_back(std::move(*job));
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
  if (!view.headers.empty()) out["headers"] = view.headers;
  if (view.due_at) out["due_ms"] = ms_of(*view.due_at);
  if (view.finished_at) out["finished_ms"] = ms_of(*view.finished_at);
  if (view.percent) out["percent"] = *view.percent;
  if (!view.error.empty()) out["error"] = view.error;
  if (!view.dead_reason.empty()) out["reason"] = view.dead_reason;
  if (!view.result.empty()) {
    if (is_utf8(view.result))
      out["result"] = view.result;
    else
      out["result_base64"] = base64_encoded(view.result);
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace millrace::gateway
