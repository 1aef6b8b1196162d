// The implementation of a Connection, shared or of one Producer, Worker or Client alone: its
// options with the defaults filled in, the loop with its thread, and the session that producers and
// clients share. A worker makes a session of its own on the same loop.
// Threads: any.
#pragma once

#include "event_loop.h"
#include "key_file.h"
#include "link.h"

#include <millrace/connection.h>

#include <memory>
#include <mutex>
#include <optional>

namespace millrace {

class ConnectionCore {
 public:
  explicit ConnectionCore(ConnectionOptions options, std::optional<Error> wrong = {});
  ~ConnectionCore();
  ConnectionCore(const ConnectionCore&) = delete;
  ConnectionCore& operator=(const ConnectionCore&) = delete;

  // The error in the options, if any. Then nothing is ever sent.
  [[nodiscard]] const std::optional<Error>& wrong() const { return wrong_; }
  [[nodiscard]] const ConnectionOptions& options() const { return options_; }
  // Null: there is none.
  [[nodiscard]] const KeyFile* key() const { return key_ ? &*key_ : nullptr; }
  [[nodiscard]] EventLoop& loop() { return loop_; }
  [[nodiscard]] const EventLoop& loop() const { return loop_; }
  // In a child of the process that made this: call nothing else.
  [[nodiscard]] bool inherited() const { return loop_.inherited(); }
  // Whether the calling thread is the loop's, where a wait for an answer would be for ever.
  [[nodiscard]] bool here() const { return loop_.here(); }
  // Created by the first caller, with its role; the loop has started.
  [[nodiscard]] Link& shared_link(wire::Role role);
  // Whether the session of producers and clients is connected to every known shard.
  [[nodiscard]] bool connected() const;

 private:
  void read_key();

  ConnectionOptions options_;
  std::optional<Error> wrong_;
  std::optional<KeyFile> key_;
  EventLoop loop_;
  mutable std::mutex mutex_;           // guards what follows
  std::unique_ptr<Link> shared_link_;  // after the loop: it closes its sockets there
};

using ConnectionRef = std::shared_ptr<ConnectionCore>;

[[nodiscard]] const ConnectionRef& core_of(const Connection& connection);
// The shared connection if it is set, else a new one made from the options. Both set: an error of
// the new connection, which names them.
[[nodiscard]] ConnectionRef connection_of(const ConnectionOptions& own,
                                          const std::shared_ptr<Connection>& shared);

}  // namespace millrace
