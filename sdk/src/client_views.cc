// The wire's views as the public ones.
#include "client_views.h"

#include "times.h"
#include "wire/headers.h"

#include <algorithm>

namespace millrace {

std::string hex(const wire::Id& id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : id) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

JobView view_of_job(const wire::JobView& told) {
  JobView view;
  view.id = {std::string(told.job.topic), told.job.partition, told.job.seq};
  view.state = parse_state(told.state).value_or(State::available);
  view.priority = static_cast<int>(told.priority);
  view.attempt = static_cast<int>(told.attempt);
  view.max_attempts = static_cast<int>(told.attempts_max);
  view.deaths = static_cast<int>(told.deaths);
  view.key = told.key;
  view.enqueued_at = time_of(told.enqueued_ms);
  view.due_at = time_of(told.due_ms);
  view.started_at = time_of(told.started_ms);
  view.finished_at = time_of(told.finished_ms);
  view.worker = told.worker;
  if (told.percent) view.percent = static_cast<int>(*told.percent);
  view.note = told.note;
  view.error = told.error;
  view.dead_reason = told.reason;
  if (told.result) view.result = *told.result;
  view.headers = wire::decode_headers(told.headers);
  if (told.payload) view.payload = std::string(*told.payload);
  view.payload_bytes = told.payload_bytes;
  return view;
}

ShardView view_of_shard(const wire::ShardView& told) {
  ShardView view;
  view.version = told.version;
  view.check = told.check;
  view.shard = told.shard;
  view.shards = told.shards;
  view.epoch = told.epoch;
  view.sessions = told.sessions;
  view.workers = told.workers;
  view.credit_free = told.credit_free;
  view.uptime = span_of(told.uptime_ms);
  view.grace = span_of(told.grace_ms);
  view.commits = told.commits;
  view.commit_us_p50 = told.commit_us_p50;
  view.commit_us_p99 = told.commit_us_p99;
  view.batch_mean = told.batch_mean;
  view.wal_bytes = told.wal_bytes;
  view.store_bytes = told.store_bytes;
  view.disk_free_bytes = told.disk_free_bytes;
  view.accepting = told.accepting;
  return view;
}

BackupView view_of_backup(const wire::BackupView& told) {
  static constexpr std::pair<std::string_view, BackupState> states[] = {
      {"none", BackupState::none},
      {"running", BackupState::running},
      {"done", BackupState::done},
      {"failed", BackupState::failed}};
  BackupView view;
  for (const auto& [word, state] : states) {
    if (word == told.state) view.state = state;
  }
  view.name = told.name;
  view.code = told.code;
  view.error = told.error;
  view.shard = told.shard;
  view.shards = told.shards;
  view.copied_bytes = told.copied_bytes;
  view.total_bytes = told.total_bytes;
  view.took = span_of(told.took_ms);
  view.removed = told.removed;
  view.last_name = told.last_name;
  view.last_at = time_of(told.last_ms);
  view.last_took = span_of(told.last_took_ms);
  view.last_bytes = told.last_bytes;
  return view;
}

void add_topic(TopicView& sum, const wire::TopicView& told) {
  sum.topic = told.topic;
  sum.partitions = static_cast<int>(told.partitions);
  sum.paused = sum.paused || told.paused;
  sum.max_attempts = static_cast<int>(told.attempts_max);
  sum.history = told.history;
  sum.scheduled += told.scheduled;
  sum.available += told.available;
  sum.running += told.running;
  sum.retryable += told.retryable;
  sum.dead += told.dead;
  sum.enqueued += told.enqueued;
  sum.completed += told.completed;
  sum.cancelled += told.cancelled;
  sum.retried += told.retried;
  sum.died += told.died;
  sum.oldest_available = std::max(sum.oldest_available, span_of(told.oldest_available_ms));
  sum.workers = std::max(sum.workers, told.workers);  // a worker subscribes at every shard
}

void add_session(SessionView& sum, const wire::SessionView& told) {
  const auto silent = span_of(told.silent_ms);
  sum.silent = sum.session.empty() ? silent : std::min(sum.silent, silent);
  sum.session = hex(told.session);
  sum.name = told.name;
  sum.role = told.role;
  sum.topics.assign(told.topics.begin(), told.topics.end());
  sum.credit += told.credit;
  sum.running += told.running;
}

}  // namespace millrace
