// The wire's views as the public ones.
#include "client_views.h"

#include "times.h"
#include "wire/codec.h"

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

// The public list is the wire's.
#define MILLRACE_BACKUP_STATE(name) \
  static_assert(static_cast<int>(BackupState::name) == static_cast<int>(wire::BackupState::name));
MILLRACE_BACKUP_STATES(MILLRACE_BACKUP_STATE)
#undef MILLRACE_BACKUP_STATE
std::string_view to_string(BackupState state) {
  return wire::backup_state_name(static_cast<wire::BackupState>(state));
}

BackupView view_of_backup(const wire::BackupView& told) {
  BackupView view;
  view.state = static_cast<BackupState>(wire::parse_backup_state(told.state));
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
