#include "job_line.h"

#include "json_text.h"
#include "suggestions.h"

#include <millrace/times.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace millrace::cli {
namespace {

using nlohmann::json;

Error wrong(const std::string& what) { return {ErrorCode::invalid, what, {}}; }

std::optional<std::string> text_of(std::string_view value) {
  if (!value.starts_with('"')) return std::nullopt;
  return json::parse(value).get<std::string>();
}

// A whole number from 0 to most; nothing else, and no 5.0.
std::optional<std::int64_t> number_of(std::string_view value, std::int64_t most) {
  std::int64_t number = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
    if (number > most) return std::nullopt;
  }
  return number;
}

// Groups of four with padding, as RFC 4648 has it.
std::optional<std::string> bytes_of_base64(const std::string& text) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string out;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool pad = i >= text.size() - padding;
    const auto digit = pad ? 0 : digits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    if (i % 4 != 3) continue;
    for (const unsigned shift : {16U, 8U, 0U}) out += static_cast<char>(bits >> shift & 0xffU);
    bits = 0;
  }
  out.resize(out.size() - padding);
  return out;
}

// One field of a line into the job; false when its value is of a wrong kind.
using Set = bool (*)(Job&, std::string_view);

bool set_payload(Job& job, std::string_view value) {
  // A text is its characters; any other value its bytes, as they stand.
  auto text = text_of(value);
  job.payload = text ? std::move(*text) : std::string(value);
  return true;
}
bool set_base64(Job& job, std::string_view value) {
  const auto text = text_of(value);
  auto bytes = text ? bytes_of_base64(*text) : std::nullopt;
  if (bytes) job.payload = std::move(*bytes);
  return bytes.has_value();
}
bool set_text(std::string& to, std::string_view value) {
  auto text = text_of(value);
  if (text) to = std::move(*text);
  return text.has_value();
}
bool set_headers(Job& job, std::string_view value) {
  const auto members = members_of(value);
  if (!members) return false;
  job.headers.clear();
  return std::all_of(members->begin(), members->end(), [&job](const Member& member) {
    auto text = text_of(member.value);
    return text && job.headers.emplace(member.name, std::move(*text)).second;
  });
}
bool set_number(std::optional<int>& to, std::string_view value) {
  const auto number = number_of(value, std::numeric_limits<int>::max());
  if (number) to = static_cast<int>(*number);
  return number.has_value();
}
bool set_delay_ms(Job& job, std::string_view value) {
  const auto number = number_of(value, std::int64_t{1} << 50U);
  if (number) job.delay = std::chrono::milliseconds(*number);
  return number.has_value();
}
bool set_delay(Job& job, std::string_view value) {
  const auto text = text_of(value);
  const auto span = parse_duration(text.value_or(""));
  if (span) job.delay = *span;
  return span.has_value();
}
bool set_run_at(Job& job, std::string_view value) {
  const auto text = text_of(value);
  const auto time = parse_time(text.value_or("")).and_then(to_system_clock);
  if (time) job.run_at = *time;
  return time.has_value();
}

struct Field {
  const char* name;
  const char* takes;
  Set set;
};
constexpr std::array fields{
    Field{"payload", "any JSON value", set_payload},
    Field{"payload_base64", "bytes in base64, with padding", set_base64},
    Field{"key", "a string", [](Job& job, std::string_view v) { return set_text(job.key, v); }},
    Field{"headers", "an object of strings, each name once", set_headers},
    Field{"priority", "a whole number from 0 to 9",
          [](Job& job, std::string_view v) { return set_number(job.priority, v); }},
    Field{"max_attempts", "a whole number from 1 to 1000",
          [](Job& job, std::string_view v) { return set_number(job.max_attempts, v); }},
    Field{"delay_ms", "a whole number of milliseconds", set_delay_ms},
    Field{"delay", "a duration such as \"1h30m\"", set_delay},
    Field{"run_at", "a time such as \"2030-01-31T12:00:00Z\", before 2262", set_run_at},
};

Error unknown_field(const std::string& name) {
  std::vector<std::string> known;
  std::string list;
  for (const auto& field : fields) {
    known.emplace_back(field.name);
    list += (list.empty() ? "" : ", ") + known.back();
  }
  return wrong("has the unknown field '" + name + "'" + suggestion(name, known) +
               "; known fields are " + list);
}

}  // namespace

Job job_of(const Options& options, std::string payload) {
  Job job{.topic = options.topic, .payload = std::move(payload), .key = options.key};
  job.headers = options.headers;
  job.priority = options.priority;
  job.max_attempts = options.max_attempts;
  job.delay = options.delay.value_or(std::chrono::milliseconds(0));
  job.run_at = options.run_at;
  return job;
}

Result<Job> job_of_line(const Options& options, const std::string& line) {
  const auto members = members_of(line);
  if (!members) return tl::unexpected(members.error());
  std::set<std::string> seen;
  for (const auto& member : *members) {
    if (!seen.insert(member.name).second) {
      return tl::unexpected(wrong("has the field '" + member.name + "' twice"));
    }
  }
  if (seen.contains("payload") && seen.contains("payload_base64")) {
    return tl::unexpected(wrong("has both 'payload' and 'payload_base64': use one of them"));
  }
  if (seen.contains("delay") + seen.contains("delay_ms") + seen.contains("run_at") > 1) {
    return tl::unexpected(wrong("has more than one of 'delay', 'delay_ms' and 'run_at': use one"));
  }
  Job job = job_of(options, {});
  if (seen.contains("delay") || seen.contains("delay_ms") || seen.contains("run_at")) {
    job.delay = std::chrono::milliseconds(0);
    job.run_at.reset();
  }
  for (const auto& member : *members) {
    const auto* const field = std::find_if(fields.begin(), fields.end(), [&](const Field& known) {
      return member.name == known.name;
    });
    if (field == fields.end()) return tl::unexpected(unknown_field(member.name));
    if (field->set(job, member.value)) continue;
    return tl::unexpected(
        wrong("has an invalid value for '" + member.name + "': expected " + field->takes));
  }
  if (auto well = check(job); !well) {
    well.error().message = "cannot be a job: " + well.error().message;
    return tl::unexpected(std::move(well.error()));
  }
  return job;
}

}  // namespace millrace::cli
