// The messages of the protocol as structs, one for each body of docs/protocol.md, with its names.
// Views point into the frame that was decoded and live as long as it does; encoders copy. An
// optional that is empty is a key that is absent.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::wire {

// Every verb: its name as people read it, its number, what answers it, and the permission that it
// needs. A line each, so that it reads as a table.
// clang-format off
#define MILLRACE_VERBS(verb) \
  verb(hello, 1, command, any) \
  verb(heartbeat, 2, question, any) \
  verb(goodbye, 3, command, any) \
  verb(enqueue, 16, command, produce) \
  verb(subscribe, 32, command, work) \
  verb(credit, 33, command, work) \
  verb(settle, 34, command, work) \
  verb(progress, 35, command, work) \
  verb(drain, 36, command, work) \
  verb(topology, 64, question, any) \
  verb(topics, 65, question, look) \
  verb(topic_create, 66, command, operate) \
  verb(pause, 67, command, operate) \
  verb(resume, 68, command, operate) \
  verb(job, 72, row_question, look) \
  verb(jobs, 73, row_question, look) \
  verb(explain, 74, row_question, look) \
  verb(cancel, 75, command, operate) \
  verb(wait, 76, row_question, look) \
  verb(dead_requeue, 80, command, operate) \
  verb(dead_purge, 81, command, operate) \
  verb(status, 88, question, look) \
  verb(sessions, 89, question, look) \
  verb(backup, 90, backup, admin) \
  verb(backup_status, 91, backup, look) \
  verb(ok, 128, reply, none) \
  verb(error, 129, reply, none) \
  verb(deliver, 130, reply, none) \
  verb(revoke, 131, reply, none) \
  verb(closing, 132, reply, none)
// clang-format on

enum class Verb : std::uint8_t {
#define MILLRACE_VERB(name, number, kind, permission) name = number,
  MILLRACE_VERBS(MILLRACE_VERB)
#undef MILLRACE_VERB
};

enum class VerbKind : std::uint8_t {
  command,       // changes a shard's state
  question,      // answered from a shard's state in memory; HEARTBEAT also keeps its session alive
  row_question,  // answered from stored rows, by a reader beside the shard
  backup,        // answered by the process, for all of its shards
  reply,         // what brokers say
};

// What a key must allow (docs/security.md); connections without a key are not asked.
enum class Permission : std::uint8_t {
  any,  // every key
  produce,
  work,
  look,
  operate,
  admin,
  none,  // no key: clients do not send it
};

struct Header {
  std::uint64_t version = 1;
  std::uint64_t verb = 0;  // as it came; may be unknown
  std::uint64_t correlation = 0;
};

using Id = std::array<std::uint8_t, 16>;

// topic/partition/seq as it stands in "job" fields.
struct JobRef {
  std::string_view topic;
  std::uint16_t partition = 0;
  std::uint64_t seq = 0;
};

enum class Role : std::uint8_t { producer, worker, client };

struct Hello {
  Role role = Role::client;
  Id session{};
  std::string_view name;
  std::uint64_t pid = 0;
  std::vector<std::pair<JobRef, std::uint64_t>> held;  // job, token
};
struct HelloOk {
  std::string_view broker;
  std::uint64_t shard = 0, lease_ms = 0, heartbeat_ms = 0, payload_bytes_max = 0;
  std::vector<std::uint64_t> lost;
};
// HEARTBEAT, GOODBYE, DRAIN, STATUS, SESSIONS, BACKUP_STATUS and the OK that says nothing more
struct Empty {};

struct Topology {
  std::vector<std::string_view> topics;
};
struct TopologyOk {
  std::vector<std::vector<std::string_view>> shards;
  std::vector<std::uint64_t> default_partitions;
  std::vector<std::pair<std::string_view, std::vector<std::uint64_t>>> topics;
};

struct NewJob {
  std::string_view payload, key, headers;
  std::optional<std::uint64_t> priority, delay_ms, run_at_ms, attempts_max;
};
struct Enqueue {
  std::string_view topic;
  std::uint64_t partition = 0;
  std::optional<Id> producer;
  std::uint64_t epoch = 0, batch = 0;
  std::uint64_t answered = 0;  // the batches up to this one have their answers
  std::vector<NewJob> jobs;
};
struct EnqueueOk {
  std::uint64_t first_seq = 0, count = 0;
  bool duplicate = false;
};

struct Subscribe {
  std::vector<std::string_view> topics;
  std::uint64_t credit = 0;
};
struct Credit {
  std::uint64_t credit = 0;
};
struct DeliveredJob {
  std::uint64_t seq = 0, token = 0, attempt = 0, attempts_max = 0;
  std::string_view payload, key, headers;
  std::uint64_t enqueued_ms = 0, run_ms_max = 0;  // 0: no limit
};
struct Deliver {
  std::string_view topic;
  std::uint64_t partition = 0;
  std::vector<DeliveredJob> jobs;
};
enum class OutcomeKind : std::uint8_t { completed, retry, discard, release, crashed };
struct JobOutcome {
  std::uint64_t token = 0;
  OutcomeKind outcome = OutcomeKind::completed;
  std::string_view error, result;
  std::optional<std::uint64_t> retry_after_ms;
};
struct Settle {
  std::vector<JobOutcome> outcomes;
  std::uint64_t credit = 0;
};
struct SettleOk {
  std::vector<std::uint64_t> stale;
};
struct Progress {
  std::uint64_t token = 0;
  std::optional<std::uint64_t> percent;
  std::string_view note;
};
struct Revoke {
  std::vector<std::uint64_t> tokens;
  std::string_view reason;
};
struct Closing {
  std::string_view reason;
};

struct TopicName {  // TOPICS (empty: all), PAUSE, RESUME
  std::string_view topic;
  std::optional<Id> request;  // of what changes something: the same in a resend
};
struct TopicCreate {
  std::string_view topic;
  std::optional<std::uint64_t> partitions, attempts_max, backoff_ms_min, backoff_ms_max, run_ms_max,
      history_ms, dead_ms, dead_max;
  std::optional<bool> history;
  std::optional<Id> request;
};
struct Flag {  // {created} of TOPIC_CREATE, {changed} of PAUSE and RESUME: key differs, shape not
  bool value = false;
};
struct TopicView {
  std::string_view topic;
  std::uint64_t partitions = 0;
  bool paused = false;
  std::uint64_t attempts_max = 0;
  bool history = false;
  std::uint64_t scheduled = 0, available = 0, running = 0, retryable = 0, dead = 0, enqueued = 0,
                completed = 0, cancelled = 0, retried = 0, died = 0, oldest_available_ms = 0,
                workers = 0;
};
struct TopicsOk {
  std::vector<TopicView> topics;
};

struct JobName {  // JOB, EXPLAIN, CANCEL
  JobRef job;
  std::optional<Id> request;
};
struct Wait {
  JobRef job;
  std::uint64_t timeout_ms = 0;
};
struct Jobs {
  std::string_view topic, state;  // empty: any
  std::uint64_t limit = 50;
  std::optional<JobRef> after;
};
struct JobView {
  JobRef job;
  std::string_view state;
  std::uint64_t priority = 5, attempt = 0, attempts_max = 0, deaths = 0, enqueued_ms = 0,
                payload_bytes = 0;
  std::string_view key, headers, worker, note, error, reason;
  std::optional<std::uint64_t> due_ms, started_ms, finished_ms, percent;
  std::optional<std::string_view> result, payload;
};
struct JobsOk {
  std::vector<JobView> jobs;
  std::optional<JobRef> next;
};
struct ExplainOk {
  JobRef job;
  std::string_view state, reason, text;
};
struct CancelOk {
  std::string_view state;
};
struct DeadSelect {  // DEAD_REQUEUE, DEAD_PURGE
  std::string_view topic;
  std::vector<JobRef> jobs;
  std::optional<std::uint64_t> limit;  // without jobs: the oldest so many
  std::optional<Id> request;
};
struct CountOk {
  std::uint64_t count = 0;
  bool more = false;
};

struct ShardView {  // STATUS
  std::string_view version, check;
  std::uint64_t shard = 0, shards = 0, uptime_ms = 0, epoch = 0, sessions = 0, workers = 0,
                credit_free = 0, commits = 0, commit_us_p50 = 0, commit_us_p99 = 0, wal_bytes = 0,
                store_bytes = 0, disk_free_bytes = 0, grace_ms = 0;
  double batch_mean = 0;
  bool accepting = true;
};
struct SessionView {
  Id session{};
  std::string_view name, role;
  std::vector<std::string_view> topics;
  std::uint64_t credit = 0, running = 0, silent_ms = 0;
};
struct SessionsOk {
  std::vector<SessionView> sessions;
};

struct Backup {
  std::string_view name;
  std::uint64_t keep = 0;     // of its series; 0: remove none
  std::optional<Id> request;  // the same in a resend
};
// How far the backup is that was begun last; as people and messages have it, a word.
#define MILLRACE_BACKUP_STATES(state) state(none) state(running) state(done) state(failed)
enum class BackupState : std::uint8_t {
#define MILLRACE_BACKUP_STATE(name) name,
  MILLRACE_BACKUP_STATES(MILLRACE_BACKUP_STATE)
#undef MILLRACE_BACKUP_STATE
};
struct BackupView {  // what BACKUP and BACKUP_STATUS answer
  std::string_view state, name, code, error;
  std::uint64_t shard = 0, shards = 0, copied_bytes = 0, total_bytes = 0, started_ms = 0,
                took_ms = 0, removed = 0;
  std::string_view last_name;  // the newest that is whole
  std::uint64_t last_ms = 0, last_took_ms = 0, last_bytes = 0;
};

struct ErrorBody {
  std::string_view code, message;
  std::uint64_t retry_after_ms = 0;
};

}  // namespace millrace::wire
