// The keys of every body, defined once: encoder and decoder use the same lists. A list is a call of
// f for each key with its member and its rule. Private to the codec.
#pragma once

#include "wire/limits.h"
#include "wire/messages.h"

#include <cstdint>
#include <limits>

namespace millrace::wire {

struct Rule {
  bool required = false;   // absent is an error, and it is written even when empty
  bool written = false;    // its default is not 0: it is written even when 0
  bool topic = false;      // text that must be a topic's name
  bool cut_front = false;  // text that is too long loses its front when it is written
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();  // value, bytes or items
};
constexpr Rule up_to(std::uint64_t max) { return {.max = max}; }
constexpr Rule a_limit(std::uint64_t max) { return {.written = true, .max = max}; }
constexpr Rule must = {.required = true};
constexpr Rule must_up_to(std::uint64_t max) { return {.required = true, .max = max}; }
constexpr Rule a_topic = {.topic = true, .max = topic_bytes_max};
constexpr Rule must_topic = {.required = true, .topic = true, .max = topic_bytes_max};
constexpr Rule an_error = {.cut_front = true, .max = error_bytes_max};
constexpr std::uint64_t word_bytes_max = 64;
constexpr std::uint64_t sentence_bytes_max = 2 * error_bytes_max;

template <typename F>
void fields(F& f, Hello& m) {
  f("role", m.role, must);
  f("session", m.session, must);
  f("name", m.name, up_to(name_bytes_max));
  f("pid", m.pid, Rule{});
  f("held", m.held, up_to(credit_max));
}
template <typename F>
void fields(F& f, HelloOk& m) {
  f("broker", m.broker, must_up_to(word_bytes_max));
  f("shard", m.shard, must);
  f("lease_ms", m.lease_ms, must);
  f("heartbeat_ms", m.heartbeat_ms, must);
  f("payload_bytes_max", m.payload_bytes_max, must);
  f("lost", m.lost, up_to(credit_max));
}
template <typename F>
void fields(F& /*f*/, Empty& /*m*/) {}
template <typename F>
void fields(F& f, Topology& m) {
  f("topics", m.topics, up_to(topics_max));
}
template <typename F>
void fields(F& f, TopologyOk& m) {
  f("shards", m.shards, must_up_to(topics_max));
  f("default_partitions", m.default_partitions, must_up_to(partitions_max));
  f("topics", m.topics, must_up_to(topics_max));
}
template <typename F>
void fields(F& f, NewJob& m) {
  f("payload", m.payload, must_up_to(payload_bytes_max));
  f("key", m.key, up_to(key_bytes_max));
  f("priority", m.priority, up_to(priority_max));
  f("delay_ms", m.delay_ms, up_to(std::uint64_t{1} << 53U));
  f("run_at_ms", m.run_at_ms, up_to(std::uint64_t{1} << 53U));
  f("attempts_max", m.attempts_max, up_to(attempts_max_max));
  f("headers", m.headers, up_to(job_headers_bytes_max));
}
template <typename F>
void fields(F& f, Enqueue& m) {
  f("topic", m.topic, must_topic);
  f("partition", m.partition, must_up_to(partitions_max - 1));
  f("producer", m.producer, Rule{});
  f("epoch", m.epoch, Rule{});
  f("batch", m.batch, Rule{});
  f("answered", m.answered, Rule{});
  f("jobs", m.jobs, must_up_to(batch_max));
}
template <typename F>
void fields(F& f, EnqueueOk& m) {
  f("first_seq", m.first_seq, must);
  f("count", m.count, must);
  f("duplicate", m.duplicate, must);
}
template <typename F>
void fields(F& f, Subscribe& m) {
  f("topics", m.topics, Rule{.required = true, .topic = true, .max = topics_max});
  f("credit", m.credit, up_to(credit_max));
}
template <typename F>
void fields(F& f, Credit& m) {
  f("credit", m.credit, must_up_to(credit_max));
}
template <typename F>
void fields(F& f, DeliveredJob& m) {
  f("seq", m.seq, must);
  f("token", m.token, must);
  f("attempt", m.attempt, must);
  f("attempts_max", m.attempts_max, must);
  f("payload", m.payload, must_up_to(payload_bytes_max));
  f("key", m.key, up_to(key_bytes_max));
  f("headers", m.headers, up_to(job_headers_bytes_max));
  f("enqueued_ms", m.enqueued_ms, must);
  f("run_ms_max", m.run_ms_max, Rule{});
}
template <typename F>
void fields(F& f, Deliver& m) {
  f("topic", m.topic, must_topic);
  f("partition", m.partition, must_up_to(partitions_max - 1));
  f("jobs", m.jobs, must_up_to(batch_max));
}
template <typename F>
void fields(F& f, JobOutcome& m) {
  f("token", m.token, must);
  f("outcome", m.outcome, must);
  f("error", m.error, an_error);
  f("result", m.result, up_to(result_bytes_max));
  f("retry_after_ms", m.retry_after_ms, up_to(std::uint64_t{1} << 53U));
}
template <typename F>
void fields(F& f, Settle& m) {
  f("outcomes", m.outcomes, must_up_to(batch_max));
  f("credit", m.credit, up_to(credit_max));
}
template <typename F>
void fields(F& f, SettleOk& m) {
  f("stale", m.stale, must_up_to(batch_max));
}
template <typename F>
void fields(F& f, Progress& m) {
  f("token", m.token, must);
  f("percent", m.percent, up_to(100));
  f("note", m.note, up_to(note_bytes_max));
}
template <typename F>
void fields(F& f, Revoke& m) {
  f("tokens", m.tokens, must_up_to(credit_max));
  f("reason", m.reason, must_up_to(word_bytes_max));
}
template <typename F>
void fields(F& f, Closing& m) {
  f("reason", m.reason, up_to(sentence_bytes_max));
}
template <typename F>
void fields(F& f, TopicName& m) {
  f("topic", m.topic, a_topic);
  f("request", m.request, Rule{});
}
template <typename F>
void fields(F& f, TopicCreate& m) {
  f("topic", m.topic, must_topic);
  f("partitions", m.partitions, up_to(partitions_max));
  f("attempts_max", m.attempts_max, up_to(attempts_max_max));
  f("backoff_ms_min", m.backoff_ms_min, up_to(std::uint64_t{1} << 40U));
  f("backoff_ms_max", m.backoff_ms_max, up_to(std::uint64_t{1} << 40U));
  f("run_ms_max", m.run_ms_max, up_to(std::uint64_t{1} << 40U));
  f("history", m.history, Rule{});
  f("history_ms", m.history_ms, up_to(std::uint64_t{1} << 40U));
  f("dead_ms", m.dead_ms, up_to(std::uint64_t{1} << 40U));
  f("dead_max", m.dead_max, up_to(std::uint64_t{1} << 40U));
  f("request", m.request, Rule{});
}
template <typename F>
void fields(F& f, TopicView& m) {
  f("topic", m.topic, must_topic);
  f("partitions", m.partitions, must);
  f("paused", m.paused, must);
  f("attempts_max", m.attempts_max, must);
  f("history", m.history, must);
  f("scheduled", m.scheduled, must);
  f("available", m.available, must);
  f("running", m.running, must);
  f("retryable", m.retryable, must);
  f("dead", m.dead, must);
  f("enqueued", m.enqueued, must);
  f("completed", m.completed, must);
  f("cancelled", m.cancelled, must);
  f("retried", m.retried, must);
  f("died", m.died, must);
  f("oldest_available_ms", m.oldest_available_ms, must);
  f("workers", m.workers, must);
}
template <typename F>
void fields(F& f, TopicsOk& m) {
  f("topics", m.topics, must_up_to(topics_max));
}
template <typename F>
void fields(F& f, JobName& m) {
  f("job", m.job, must);
  f("request", m.request, Rule{});
}
template <typename F>
void fields(F& f, Wait& m) {
  f("job", m.job, must);
  f("timeout_ms", m.timeout_ms, must_up_to(wait_ms_max));
}
template <typename F>
void fields(F& f, Jobs& m) {
  f("topic", m.topic, a_topic);
  f("state", m.state, up_to(word_bytes_max));
  f("limit", m.limit, a_limit(listed_max));
  f("after", m.after, Rule{});
}
template <typename F>
void fields(F& f, JobView& m) {
  f("job", m.job, must);
  f("state", m.state, must_up_to(word_bytes_max));
  f("priority", m.priority, must);
  f("attempt", m.attempt, must);
  f("attempts_max", m.attempts_max, must);
  f("deaths", m.deaths, must);
  f("enqueued_ms", m.enqueued_ms, must);
  f("payload_bytes", m.payload_bytes, must);
  f("key", m.key, up_to(key_bytes_max));
  f("headers", m.headers, up_to(job_headers_bytes_max));
  f("due_ms", m.due_ms, Rule{});
  f("started_ms", m.started_ms, Rule{});
  f("finished_ms", m.finished_ms, Rule{});
  f("worker", m.worker, up_to(name_bytes_max));
  f("percent", m.percent, Rule{});
  f("note", m.note, up_to(note_bytes_max));
  f("error", m.error, an_error);
  f("reason", m.reason, up_to(word_bytes_max));
  f("result", m.result, up_to(result_bytes_max));
  f("payload", m.payload, up_to(payload_bytes_max));
}
template <typename F>
void fields(F& f, JobsOk& m) {
  f("jobs", m.jobs, must_up_to(listed_max));
  f("next", m.next, Rule{});
}
template <typename F>
void fields(F& f, ExplainOk& m) {
  f("job", m.job, must);
  f("state", m.state, must_up_to(word_bytes_max));
  f("reason", m.reason, must_up_to(word_bytes_max));
  f("text", m.text, must_up_to(sentence_bytes_max));
}
template <typename F>
void fields(F& f, CancelOk& m) {
  f("state", m.state, must_up_to(word_bytes_max));
}
template <typename F>
void fields(F& f, DeadSelect& m) {
  f("topic", m.topic, must_topic);
  f("jobs", m.jobs, up_to(batch_max));
  f("limit", m.limit, up_to(batch_max));
  f("request", m.request, Rule{});
}
template <typename F>
void fields(F& f, CountOk& m) {
  f("count", m.count, must);
  f("more", m.more, must);
}
template <typename F>
void fields(F& f, ShardView& m) {
  f("version", m.version, must_up_to(word_bytes_max));
  f("shard", m.shard, must);
  f("shards", m.shards, must);
  f("uptime_ms", m.uptime_ms, must);
  f("epoch", m.epoch, must);
  f("sessions", m.sessions, must);
  f("workers", m.workers, must);
  f("credit_free", m.credit_free, must);
  f("commits", m.commits, must);
  f("commit_us_p50", m.commit_us_p50, must);
  f("commit_us_p99", m.commit_us_p99, must);
  f("batch_mean", m.batch_mean, must);
  f("wal_bytes", m.wal_bytes, must);
  f("store_bytes", m.store_bytes, must);
  f("disk_free_bytes", m.disk_free_bytes, must);
  f("accepting", m.accepting, must);
  f("grace_ms", m.grace_ms, must);
  f("check", m.check, must_up_to(sentence_bytes_max));
}
template <typename F>
void fields(F& f, SessionView& m) {
  f("session", m.session, must);
  f("name", m.name, must_up_to(name_bytes_max));
  f("role", m.role, must_up_to(word_bytes_max));
  f("topics", m.topics, must_up_to(topics_max));
  f("credit", m.credit, must);
  f("running", m.running, must);
  f("silent_ms", m.silent_ms, must);
}
template <typename F>
void fields(F& f, SessionsOk& m) {
  f("sessions", m.sessions, must_up_to(topics_max));
}
template <typename F>
void fields(F& f, Backup& m) {
  f("name", m.name, must_up_to(word_bytes_max));
  f("keep", m.keep, up_to(backups_kept_max));
  f("request", m.request, Rule{});
}
template <typename F>
void fields(F& f, BackupView& m) {
  f("state", m.state, must_up_to(word_bytes_max));
  f("name", m.name, up_to(word_bytes_max));
  f("code", m.code, up_to(word_bytes_max));
  f("error", m.error, an_error);
  f("shard", m.shard, must);
  f("shards", m.shards, must);
  f("copied_bytes", m.copied_bytes, must);
  f("total_bytes", m.total_bytes, must);
  f("started_ms", m.started_ms, Rule{});
  f("took_ms", m.took_ms, Rule{});
  f("removed", m.removed, Rule{});
  f("last_name", m.last_name, up_to(word_bytes_max));
  f("last_ms", m.last_ms, Rule{});
  f("last_took_ms", m.last_took_ms, Rule{});
  f("last_bytes", m.last_bytes, Rule{});
}
template <typename F>
void fields(F& f, ErrorBody& m) {
  f("code", m.code, must_up_to(word_bytes_max));
  f("message", m.message, must_up_to(sentence_bytes_max));
  f("retry_after_ms", m.retry_after_ms, Rule{});
}

// Every body: what the codec encodes and decodes.
// clang-format off
#define MILLRACE_BODIES(body) \
  body(Hello) body(HelloOk) body(Empty) body(Topology) body(TopologyOk) \
  body(Enqueue) body(EnqueueOk) body(Subscribe) body(Credit) body(Deliver) \
  body(Settle) body(SettleOk) body(Progress) body(Revoke) body(Closing) \
  body(TopicName) body(TopicCreate) body(TopicsOk) body(JobName) body(Wait) \
  body(Jobs) body(JobView) body(JobsOk) body(ExplainOk) body(CancelOk) \
  body(DeadSelect) body(CountOk) body(ShardView) body(SessionsOk) body(Backup) \
  body(BackupView) body(ErrorBody)
// clang-format on

}  // namespace millrace::wire
