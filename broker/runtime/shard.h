// One shard's work, without its socket, loop and threads: receive, step, commit, send. Nothing
// leaves before the commit that made it true; after a failed commit nothing leaves at all, and
// failure() says why. Storage may answer in the turn or later: turns overlap then, and leave in
// their order. All inputs and outputs of the shard pass through ShardPort, RowSource and its
// arguments, so that a simulation can run it under faults. Threads: one caller at a time.
#pragma once

#include "access/enqueue_quotas.h"
#include "access/key_ring.h"
#include "core/engine.h"
#include "net/dispatcher.h"
#include "net/replies.h"
#include "runtime/act_audit.h"
#include "runtime/backup_service.h"
#include "runtime/clock.h"
#include "runtime/hooks.h"
#include "runtime/reconnect_waits.h"
#include "runtime/row_source.h"
#include "runtime/state_questions.h"
#include "storage/store.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::runtime {

struct ShardOptions {
  core::EngineOptions engine;
  Topology topology;                // this shard listens on its own entry
  std::vector<core::Topic> topics;  // from the configuration
  std::int64_t heartbeat_ms = core::heartbeat_ms_default;
  std::int64_t reconnect_ms = core::reconnect_ms_default;  // 0: closed connections mean nothing
  std::uint64_t disk_free_bytes_min = 64U << 20;
  std::string version;
  std::vector<std::unique_ptr<Hooks>> hooks;  // of this shard alone
  BackupService* backups = nullptr;           // of the process; null: backups are not configured
  Topology advertised;                        // addresses for clients with a key; empty: topology
  const access::KeyRing* keys = nullptr;      // of the process; null: no keys are used
  audit::AuditLog* audit = nullptr;           // of the process; null: acts are not recorded
};

// The outgoing interface of a shard.
class ShardPort {
 public:
  ShardPort() = default;
  virtual ~ShardPort() = default;
  ShardPort(const ShardPort&) = delete;
  ShardPort& operator=(const ShardPort&) = delete;

  // False: the peer is disconnected, or does not read; no part of the message was sent.
  virtual bool send(const std::string& peer, std::string_view header, std::string_view body) = 0;
  // The open connections of a key, at all shards.
  virtual std::uint64_t connections_of(std::string_view /*public_key*/) { return 0; }
  // A peer, of whatever role, said HELLO.
  virtual void greeted(const net::Incoming& /*hello*/) {}
  // A worker said HELLO with this pid; its death, or the end of this
  // connection, may be reported with tick().
  virtual void worker_came(const net::Incoming& hello, const core::SessionId& session,
                           std::uint64_t pid) = 0;
  virtual void worker_went(const core::SessionId& session) = 0;
  // A delivery was not sent: its session has a newer connection, or its jobs ended meanwhile.
  virtual void outdated(const core::Delivery& /*delivery*/) {}
  // Storage answered outside a turn: check failure(), and run a turn if wants_turn().
  virtual void answered_late() {}
};

class Shard {
 public:
  Shard(ShardOptions options, std::unique_ptr<storage::Store> store, ShardPort& port);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Recovers and opens the topics of the options. Empty on success, else an error sentence.
  [[nodiscard]] std::string start(core::Now now);
  // Sets the source that answers queries for rows, from here on.
  void attach(RowSource& rows) { rows_ = &rows; }

  // A turn: begin, take each message that has arrived, finish.
  void begin_turn(core::Now now);
  void take(const net::Incoming& message);
  void finish_turn();
  // Whether another turn is needed at once, although no message has arrived.
  [[nodiscard]] bool wants_turn() const { return again_; }

  // Each lease tick. ended: workers whose process is known to have ended; closed: workers whose
  // connection was closed at the other end, and who may come back.
  void tick(core::Now now, const std::vector<core::SessionId>& ended,
            const std::vector<core::SessionId>& closed);
  // Sends the answers of the row source.
  void answer_rows(core::Now now);
  // Opens topics and replaces the settings of those that exist, with the next turn.
  void open_topics(const std::vector<core::Topic>& topics);
  // Says goodbye to every peer.
  void close();

  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] const storage::Store& store() const { return *store_; }
  [[nodiscard]] const core::Engine& engine() const { return *engine_; }

 private:
  struct Peer {
    core::SessionId session{};
    bool worker = false;
    std::string public_key;  // empty: its connection needs none
    access::KeyRef key;      // with the rights that it had at HELLO
  };

  // The connection of a worker's session. Messages of turns before its HELLO are not sent to it:
  // the answer to HELLO states which tokens are valid.
  struct Route {
    std::string peer;
    std::uint64_t turn = 0;  // of its HELLO
  };

  // The outgoing messages of a turn, sent when this turn and every turn before it are on disk.
  struct Turn {
    std::uint64_t number = 0;
    core::Effects effects;
    std::vector<std::pair<net::Asked, std::string>> answers;  // of questions
    bool committed = false;
  };

  struct Waiter {
    RowQuestion question;
    std::int64_t until_mono_ms = 0;
  };

  [[nodiscard]] access::KeyRef key_of(const net::Incoming& message);
  [[nodiscard]] std::optional<Error> wrong_with(const net::Incoming& message,
                                                const access::KeyRef& key);
  void answer(const net::Asked& asked, const net::Answer& answered);
  void record_acts(const std::vector<core::Reply>& replies);
  void refuse_unread(const net::Incoming& message, const Error& error);
  [[nodiscard]] bool over_quota(const net::Asked& asked, const net::Parsed& parsed,
                                const access::Key& key, bool is_new);
  [[nodiscard]] bool keeps_rights(const Peer& peer);
  void end_sessions_of_changed_keys();
  [[nodiscard]] bool disk_takes(std::size_t bytes);
  void welcome(const net::Incoming& message, const net::Parsed& parsed, access::KeyRef key);
  void commit(const std::shared_ptr<Turn>& turn);
  void told();
  void leave();
  void keep_room(std::shared_ptr<Turn>&& turn);
  void release(Turn& turn);
  void end_route(const core::SessionId& session);
  void deliver(core::Delivery& delivery, std::uint64_t turn);
  [[nodiscard]] bool drop_ended(core::Delivery& delivery);
  [[nodiscard]] const std::string* route_of(const core::SessionId& session,
                                            std::uint64_t turn) const;
  void take_back(const core::Delivery& delivery);
  void tell_hooks(const core::Event& event) const;
  void tell_hooks_of_tick() const;
  void end_who_stays_away();
  void look_at_wall_clock();
  void open_topic(const core::Topic& topic);
  void run_loads(const std::vector<core::Load>& loads);
  // Questions about rows: shard_rows.cc
  void look_up(const net::Asked& asked, std::string_view body, const access::Key* key);
  void ask_rows(RowQuestion question);
  void answer_row(const RowAnswer& answer);
  bool end_waiter(const RowQuestion& question);
  void wake_waiters(const core::Event& event);
  void expire_waiters();
  void end_waiters_of(const std::string& peer);
  void refuse(const net::Asked& asked, const Error& error);
  void refuse_overload(const net::Asked& asked);
  void refresh_facts();
  void fail(const std::string& why);
  bool send(const std::string& peer, wire::Verb verb, std::uint64_t correlation,
            const std::string& body);
  [[nodiscard]] net::HelloFacts hello_facts() const;

  ShardOptions options_;
  std::unique_ptr<storage::Store> store_;
  ShardPort& port_;
  RowSource* rows_ = nullptr;
  std::unique_ptr<core::Engine> engine_;
  core::Now now_, started_;
  core::Effects effects_;                    // of the turn
  std::uint64_t turn_number_ = 1;            // of the turn in progress
  bool in_call_ = false;                     // inside a call of the shard: storage answers at once
  std::deque<core::Command> loaded_;         // by storage, for the next turn
  std::deque<std::shared_ptr<Turn>> turns_;  // whose messages were not sent yet, in their order
  std::shared_ptr<Turn> spare_;              // an empty turn with allocated memory, for reuse
  access::KeyLookup keys_;
  access::EnqueueQuotas quotas_;
  ActAudit audit_;
  std::map<core::RequestId, audit::Entry> acts_;  // under way
  core::RequestId requests_ = 0;
  std::map<core::RequestId, net::Asked> asked_;
  std::map<std::string, Peer> peers_;                        // by routing id
  std::map<core::SessionId, Route> routes_;                  // worker sessions
  std::vector<std::pair<net::Asked, std::string>> answers_;  // of questions, sent with the turn
  ReconnectWaits reconnects_;
  ShardFacts facts_;
  WallWatch wall_;
  std::multimap<core::JobRef, Waiter> waiters_;
  std::uint64_t taken_bytes_ = 0;  // of enqueues, since the disk space was checked
  std::string failure_;
  bool again_ = false;  // another turn at once
};

}  // namespace millrace::runtime
