// Client: questions and administration, the same verbs that the CLI and the gateway use.
//
// Every call waits for its answers, and asks as many shards as it needs. It waits for each message
// at most options.timeout. Most calls are one message; pause() asks for the topic first, jobs()
// goes from topic to topic, requeue_dead() and purge_dead() go on in steps (an error ends them, and
// the steps before it are done), and wait() takes its own timeout on top.
// What changes something carries an id: though its answer is lost and it is sent again, by this
// client, it is done once, and answered as the first time. Without an answer the outcome is unknown
// (outcome_unknown); a second call of yours is another request.
// Threads: members may be called from any thread, many calls at a time; one background thread, or
// one for all that share a Connection. Inside a callback on that thread a call would wait for
// itself, and is refused at once (invalid).
// fork(): as of a Producer: in a child each call ends at once as unavailable, and destruction does
// nothing.
#pragma once

#include <millrace/connection.h>
#include <millrace/export.h>
#include <millrace/job.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

// Fields as docs/protocol.md, Topic settings; what is absent keeps its default.
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
  std::optional<std::string> payload;
  std::uint64_t payload_bytes = 0;
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
struct BackupView {
  BackupState state = BackupState::none;  // of the one that was begun last
  std::string name;
  std::string code, error;              // why it failed: docs/protocol.md, BACKUP_STATUS
  std::uint64_t shard = 0, shards = 0;  // being copied, of so many
  std::uint64_t copied_bytes = 0, total_bytes = 0;  // the total is an estimate until it is done
  std::chrono::milliseconds took{0};
  std::uint64_t removed = 0;  // older ones of its series
  // The newest backup that is whole; none if last_name is empty.
  std::string last_name;
  std::chrono::system_clock::time_point last_at;
  std::chrono::milliseconds last_took{0};
  std::uint64_t last_bytes = 0;
};

struct JobFilter {
  std::optional<std::string> topic;
  std::optional<State> state;
  std::size_t limit = 50;  // 1 to 256; what is beyond is taken as the nearer of them
  std::optional<JobId> after;
};
struct JobPage {
  std::vector<JobView> jobs;
  std::optional<JobId> next;
};

// Which dead jobs, said in one of three ways: ids; the oldest of a topic, up to limit; or all of a
// topic. None or two of them is refused as invalid, and nothing is changed. With ids the topic may
// be left out, or is that of each.
struct DeadSelection {
  std::string topic;
  std::vector<JobId> ids;
  std::uint64_t limit = 0;  // 0: not said
  bool all = false;
};

struct ClientOptions {
  ConnectionOptions connection;
  std::shared_ptr<Connection> shared_connection;  // in place of it; both given: invalid
  std::chrono::milliseconds timeout{10'000};
};

class MILLRACE_EXPORT Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // All, or the one of that name: none where it does not exist.
  [[nodiscard]] Result<std::vector<TopicView>> topics(const std::optional<std::string>& only = {});
  // true if it was made now, false if it was there.
  [[nodiscard]] Result<bool> create_topic(const std::string& topic, const TopicSettings& settings);
  [[nodiscard]] Result<bool> pause(const std::string& topic);  // true if that changed it
  [[nodiscard]] Result<bool> resume(const std::string& topic);

  // A completed or cancelled job of a topic without history is not_found, here and in what follows.
  [[nodiscard]] Result<JobView> job(const JobId& id);
  [[nodiscard]] Result<JobPage> jobs(const JobFilter& filter);
  [[nodiscard]] Result<Explanation> explain(const JobId& id);
  [[nodiscard]] Result<State> cancel(const JobId& id);
  // The view once it is final, or as it stands at the timeout.
  [[nodiscard]] Result<JobView> wait(const JobId& id, std::chrono::milliseconds timeout);

  [[nodiscard]] Result<std::uint64_t> requeue_dead(const DeadSelection& which);
  [[nodiscard]] Result<std::uint64_t> purge_dead(const DeadSelection& which);

  [[nodiscard]] Result<std::vector<ShardView>> status();
  [[nodiscard]] Result<std::vector<SessionView>> sessions();

  // Begins a backup of all shards in the broker's backup folder; it goes on without the client.
  // keep: afterwards so many of its series stay (the name up to its last -); 0: all.
  [[nodiscard]] Result<BackupView> backup(const std::string& name, std::uint64_t keep = 0);
  [[nodiscard]] Result<BackupView> backup_status();

 private:
  class MILLRACE_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
