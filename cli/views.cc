// The SDK's views as JSON.
#include "views.h"

#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

using nlohmann::json;

std::int64_t ms_of(JobView::Time time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string base64(const std::string& bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8U | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : digits[group >> (18U - 6U * j) & 63U];
    }
  }
  return out;
}

void add_bytes(json* to, const std::string& name, const std::string& bytes) {
  try {
    (void)json(bytes).dump();
    (*to)[name] = bytes;
  } catch (const json::type_error&) {  // not UTF-8
    (*to)[name + "_base64"] = base64(bytes);
  }
}

}  // namespace

json json_of(const TopicView& v) {
  return {{"topic", v.topic},         {"partitions", v.partitions},
          {"paused", v.paused},       {"max_attempts", v.max_attempts},
          {"history", v.history},     {"scheduled", v.scheduled},
          {"available", v.available}, {"running", v.running},
          {"retryable", v.retryable}, {"dead", v.dead},
          {"enqueued", v.enqueued},   {"completed", v.completed},
          {"cancelled", v.cancelled}, {"retried", v.retried},
          {"died", v.died},           {"oldest_available_ms", v.oldest_available.count()},
          {"workers", v.workers}};
}

json json_of(const JobView& v) {
  json j{{"job", v.id.str()},
         {"state", to_string(v.state)},
         {"priority", v.priority},
         {"attempt", v.attempt},
         {"max_attempts", v.max_attempts},
         {"deaths", v.deaths},
         {"enqueued_ms", ms_of(v.enqueued_at)},
         {"payload_bytes", v.payload_bytes}};
  if (!v.key.empty()) add_bytes(&j, "key", v.key);
  if (!v.headers.empty()) {
    json& headers = j["headers"] = json::object();
    for (const auto& [name, value] : v.headers) add_bytes(&headers, name, value);
  }
  if (v.due_at) j["due_ms"] = ms_of(*v.due_at);
  if (v.started_at) j["started_ms"] = ms_of(*v.started_at);
  if (v.finished_at) j["finished_ms"] = ms_of(*v.finished_at);
  if (!v.worker.empty()) add_bytes(&j, "worker", v.worker);
  if (v.percent) j["percent"] = *v.percent;
  if (!v.note.empty()) add_bytes(&j, "note", v.note);
  if (!v.error.empty()) add_bytes(&j, "error", v.error);
  if (!v.dead_reason.empty()) j["reason"] = v.dead_reason;
  if (!v.result.empty()) add_bytes(&j, "result", v.result);
  if (v.payload) add_bytes(&j, "payload", *v.payload);
  if (!v.encryption_key.empty()) j["encryption_key"] = v.encryption_key;
  if (!v.payload_error.empty()) j["payload_error"] = v.payload_error;
  return j;
}

json json_of(const ShardView& v) {
  return {{"shard", v.shard},
          {"shards", v.shards},
          {"version", v.version},
          {"uptime_ms", v.uptime.count()},
          {"epoch", v.epoch},
          {"sessions", v.sessions},
          {"workers", v.workers},
          {"credit_free", v.credit_free},
          {"commits", v.commits},
          {"commit_us_p50", v.commit_us_p50},
          {"commit_us_p99", v.commit_us_p99},
          {"batch_mean", v.batch_mean},
          {"wal_bytes", v.wal_bytes},
          {"store_bytes", v.store_bytes},
          {"disk_free_bytes", v.disk_free_bytes},
          {"accepting", v.accepting},
          {"grace_ms", v.grace.count()},
          {"check", v.check}};
}

json json_of(const SessionView& v) {
  return {{"session", v.session},         {"name", v.name},     {"role", v.role},
          {"topics", v.topics},           {"credit", v.credit}, {"running", v.running},
          {"silent_ms", v.silent.count()}};
}

}  // namespace millrace::cli
