// The environment of a shard in the process: its socket, its loop, its reader threads and its
// clock.
// Threads: everything on the thread that calls run(), except request_stop() and open_topics().
#pragma once

#include "access/key_text.h"
#include "net/endpoint.h"
#include "runtime/connection_monitor.h"
#include "runtime/key_check.h"
#include "runtime/process_monitor.h"
#include "runtime/reader_thread.h"
#include "runtime/shard.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::runtime {

class EventLoop;

// What the shards of a broker with keys share.
struct ServerKeys {
  access::KeyPair broker;
  KeyCheck* check = nullptr;
  bool ipc_keys = false;  // ipc:// addresses need a key too
};

class ShardServer : private ShardPort {
 public:
  // keys: null where no keys are used; else it outlives this.
  ShardServer(ShardOptions options, std::unique_ptr<storage::Store> store,
              const ServerKeys* keys = nullptr);
  ~ShardServer() override;

  // Recovers and listens. Empty on success, else an error sentence.
  [[nodiscard]] std::string start();
  // Until request_stop(): empty; or until a commit failed: why.
  [[nodiscard]] std::string run();
  void request_stop();
  // Opens topics and replaces the settings of those that exist, soon.
  void open_topics(std::vector<core::Topic> topics);

 private:
  bool send(const std::string& peer, std::string_view header, std::string_view body) override;
  std::uint64_t connections_of(std::string_view public_key) override;
  void greeted(const net::Incoming& hello) override;
  void worker_came(const net::Incoming& hello, const core::SessionId& session,
                   std::uint64_t pid) override;
  void worker_went(const core::SessionId& session) override;
  void answered_late() override;

  [[nodiscard]] std::string listen(const std::vector<std::string>& addresses);
  [[nodiscard]] std::string start_reading();
  void turn();
  void tick();
  void woken();
  void look_at_connections();
  void stop_if_failed();

  const ServerKeys* const keys_;
  net::Endpoint endpoint_;
  ProcessMonitor deaths_;
  ConnectionMonitor connections_;  // of workers that deaths_ cannot watch
  std::vector<std::string> addresses_;
  Shard shard_;
  std::unique_ptr<EventLoop> loop_;
  std::atomic<bool> stop_{false};
  std::mutex topics_mutex_;                // guards topics_asked_
  std::vector<core::Topic> topics_asked_;  // by open_topics(), not yet opened
  std::unique_ptr<ReaderThread> reader_;   // last: its threads end first
};

}  // namespace millrace::runtime
