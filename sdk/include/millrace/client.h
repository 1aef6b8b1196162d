// Client: queries and administration, with the same verbs that the CLI and the gateway use.
//
// Every call waits for its answers, and asks as many shards as it needs. It waits for each message
// at most options.timeout. Most calls are one message; pause() first looks the topic up, jobs()
// goes from topic to topic, requeue_dead() and purge_dead() work in steps (an error ends them, and
// the steps before it are done), and wait() adds its own timeout.
// A request that changes something carries an id and is idempotent: if its answer is lost and this
// client sends it again, it is executed once and gets the first answer. Without an answer the
// outcome is unknown (outcome_unknown); a second call by the application is another request.
// Threads: members may be called from any thread, many calls at a time; one background thread, or
// one for all that share a Connection. Inside a callback on that thread a call would wait for
// itself, and is refused at once (invalid).
// fork(): as for a Producer: in a child each call ends at once as unavailable, and destruction does
// nothing.
#pragma once

#include <millrace/connection.h>
#include <millrace/encryption.h>
#include <millrace/export.h>
#include <millrace/job.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

// Fields as in docs/protocol.md, Topic settings; an absent field keeps its default.
struct TopicSettings {
  std::optional<int> partitions, max_attempts;
  std::optional<std::chrono::milliseconds> backoff_min, backoff_max, run_max;
  std::optional<bool> history;
  std::optional<std::chrono::milliseconds> history_kept, dead_kept;
  std::optional<std::uint64_t> dead_max;
};

struct TopicView {
  std::string topic;
  int partitions = 0;
  bool paused = false;
  int max_attempts = 0;
  bool history = false;
  std::uint64_t scheduled = 0, available = 0, running = 0, retryable = 0, dead = 0;
  std::uint64_t enqueued = 0, completed = 0, cancelled = 0, retried = 0, died = 0;
  std::chrono::milliseconds oldest_available{0};
  std::uint64_t workers = 0;
};

struct JobView {
  JobId id;
  State state = State::available;
  int priority = 5, attempt = 0, max_attempts = 0, deaths = 0;
  std::string key;
  std::map<std::string, std::string> headers;
  using Time = std::chrono::system_clock::time_point;
  Time enqueued_at;
  std::optional<Time> due_at, started_at, finished_at;
  std::string worker;  // name of the session that runs it
  std::optional<int> percent;
  std::string note, error, dead_reason, result;
  // As it was enqueued; none in a list, and none if it is encrypted and cannot be decrypted.
  std::optional<std::string> payload;
  std::uint64_t payload_bytes = 0;  // as the broker stores it: of an encrypted one 40 more
  std::string encryption_key;       // id of the key that the payload is encrypted with, or empty
  std::string payload_error;        // why the payload cannot be decrypted, or empty
};

struct Explanation {
  JobId id;
  State state = State::available;
  std::string reason;  // a word: docs/protocol.md, EXPLAIN reasons
  std::string text;    // the sentence
};

struct SessionView {
  std::string session;  // hex
  std::string name, role;
  std::vector<std::string> topics;
  std::uint64_t credit = 0, running = 0;
  std::chrono::milliseconds silent{0};
};

struct ShardView {
  std::string version, check;
  std::uint64_t shard = 0, shards = 0, epoch = 0, sessions = 0, workers = 0, credit_free = 0;
  std::chrono::milliseconds uptime{0}, grace{0};
  std::uint64_t commits = 0, commit_us_p50 = 0, commit_us_p99 = 0;
  double batch_mean = 0;
  std::uint64_t wal_bytes = 0, store_bytes = 0, disk_free_bytes = 0;
  bool accepting = true;
};

enum class BackupState : std::uint8_t { none, running, done, failed };
[[nodiscard]] MILLRACE_EXPORT std::string_view to_string(BackupState state);
struct BackupView {
  BackupState state = BackupState::none;  // of the backup that was started last
  std::string name;
  std::string code, error;              // why it failed: docs/protocol.md, BACKUP_STATUS
  std::uint64_t shard = 0, shards = 0;  // the shard being copied, and their number
  std::uint64_t copied_bytes = 0, total_bytes = 0;  // the total is an estimate until the end
  std::chrono::milliseconds took{0};
  std::uint64_t removed = 0;  // older backups of its series
  // The newest complete backup; none if last_name is empty.
  std::string last_name;
  std::chrono::system_clock::time_point last_at;
  std::chrono::milliseconds last_took{0};
  std::uint64_t last_bytes = 0;
};

struct JobFilter {
  std::optional<std::string> topic;
  std::optional<State> state;
  std::size_t limit = 50;  // 1 to 256; other values are clamped
  std::optional<JobId> after;
};
struct JobPage {
  std::vector<JobView> jobs;
  std::optional<JobId> next;
};

// Selects dead jobs in one of three ways: ids; the oldest of a topic, up to limit; or all of a
// topic. None or two of them is refused as invalid, and nothing is changed. With ids the topic may
// be empty, else it must be the topic of each id.
struct DeadSelection {
  std::string topic;
  std::vector<JobId> ids;
  std::uint64_t limit = 0;  // 0: not set
  bool all = false;
};

struct ClientOptions {
  ConnectionOptions connection;
  std::shared_ptr<Connection> shared_connection;  // instead of connection; both set: invalid
  std::chrono::milliseconds timeout{10'000};
  PayloadKeys payload_keys;  // JobView::payload of encrypted jobs is decrypted with them
};

class MILLRACE_EXPORT Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // All topics, or the topic of that name; empty if it does not exist.
  [[nodiscard]] Result<std::vector<TopicView>> topics(const std::optional<std::string>& only = {});
  // true if the topic was created, false if it existed.
  [[nodiscard]] Result<bool> create_topic(const std::string& topic, const TopicSettings& settings);
  [[nodiscard]] Result<bool> pause(const std::string& topic);  // true if it was not paused
  [[nodiscard]] Result<bool> resume(const std::string& topic);

  // A completed or cancelled job of a topic without history is not_found, here and in the calls
  // below.
  [[nodiscard]] Result<JobView> job(const JobId& id);
  [[nodiscard]] Result<JobPage> jobs(const JobFilter& filter);
  [[nodiscard]] Result<Explanation> explain(const JobId& id);
  [[nodiscard]] Result<State> cancel(const JobId& id);
  // The view of the job when it has ended, or its state at the timeout.
  [[nodiscard]] Result<JobView> wait(const JobId& id, std::chrono::milliseconds timeout);

  [[nodiscard]] Result<std::uint64_t> requeue_dead(const DeadSelection& which);
  [[nodiscard]] Result<std::uint64_t> purge_dead(const DeadSelection& which);

  [[nodiscard]] Result<std::vector<ShardView>> status();
  [[nodiscard]] Result<std::vector<SessionView>> sessions();

  // Starts a backup of all shards in the broker's backup folder; it continues without the client.
  // keep: how many backups of its series (the name up to its last -) are kept afterwards; 0: all.
  [[nodiscard]] Result<BackupView> backup(const std::string& name, std::uint64_t keep = 0);
  [[nodiscard]] Result<BackupView> backup_status();

 private:
  class MILLRACE_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
