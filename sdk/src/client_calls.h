// Calls in flight: which shards a request goes to, and the answers that came back. A request is
// sent again after a reconnect, unchanged. One that changes something carries an id, by which the
// broker knows it again, and is not sent again when the broker may have forgotten it.
// Threads: ask() and shards() from any; the rest on the loop's thread.
#pragma once

#include "connection_core.h"

#include <millrace/result.h>

#include <condition_variable>
#include <list>
#include <map>
#include <mutex>

namespace millrace {

using Answers = Result<std::vector<std::string>>;  // a body from each shard that knows it

enum class Target : std::uint8_t { one, owner, every };
enum class Effect : std::uint8_t { none, changes };

struct Request {
  Target target = Target::one;
  wire::Verb verb = wire::Verb::ok;
  std::string body;
  Effect effect = Effect::none;
  std::size_t shard = 0;  // one
  std::string topic;      // owner: the shard that serves this partition of it
  std::uint16_t partition = 0;
};

class ClientCalls : Link::User {
 public:
  explicit ClientCalls(ConnectionRef connection);
  ~ClientCalls() override;
  ClientCalls(const ClientCalls&) = delete;
  ClientCalls& operator=(const ClientCalls&) = delete;

  // In a child of fork(): every ask() says so, and this is not to be destroyed.
  [[nodiscard]] bool inherited() const { return connection_->inherited(); }
  [[nodiscard]] Answers ask(Request request, std::chrono::milliseconds timeout);
  [[nodiscard]] Result<std::size_t> shards(std::chrono::milliseconds timeout);

 private:
  struct Call;
  void on_turn(Clock::time_point now) override;
  [[nodiscard]] bool idle() override;
  void on_ready(std::size_t shard, const std::vector<std::uint64_t>& lost) override;
  void on_message(std::size_t shard, const wire::Header& header, std::string_view body) override;
  void start(Call& call);
  void send(Call& call, std::size_t part);
  void end(Call& call, Error error);
  void answered(Call& call, std::size_t part, std::string_view body);
  [[nodiscard]] Error late(const Call& call) const;
  // Why nothing can be asked at all; looked at before any lock is taken.
  [[nodiscard]] std::optional<Error> wrong() const;

  const ConnectionRef connection_;
  std::optional<Error> wrong_;  // with the options; fixed by the constructor
  Link* link_ = nullptr;        // null: nothing is ever sent
  std::mutex mutex_;            // guards calls_, sent_ and shards_known_
  std::condition_variable ended_;
  std::list<Call*> calls_;  // on the stacks of their callers
  std::map<std::uint64_t, std::pair<Call*, std::size_t>> sent_;
  std::size_t shards_known_ = 0;
};

}  // namespace millrace
