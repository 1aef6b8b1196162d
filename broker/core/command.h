// The commands: everything that can change the engine's state.
#pragma once

#include "core/job.h"
#include "core/load.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace millrace::core {

// The answers to requests that carry an id (core/effect.h).
struct Changed;
struct Cancelled;
struct Counted;

// Identifies the request to answer; chosen by the caller, returned in Reply. 0: no answer is
// needed.
using RequestId = std::uint64_t;

struct OpenTopic {
  RequestId request = 0;
  std::string name;  // valid by the protocol's rule
  TopicSettings settings;
  bool replace = false;  // settings of an existing topic are replaced (configuration), but never
                         // its number of partitions; without it an existing topic is left as it is
  ChangeId change{};
  using Answer = Changed;
  [[nodiscard]] RequestKind kind() const { return RequestKind::open_topic; }
};
struct PauseTopic {
  RequestId request = 0;
  std::string name;
  bool paused = true;
  ChangeId change{};
  using Answer = Changed;
  [[nodiscard]] RequestKind kind() const {
    return paused ? RequestKind::pause : RequestKind::resume;
  }
};

struct NewJob : JobOptions {
  std::int64_t due_ms = 0;  // 0 or a past time: at once
  [[nodiscard]] JobOptions& options() { return *this; }
};
struct ProducerStamp {
  ProducerId id{};
  std::uint64_t epoch = 0, batch = 0;
  std::uint64_t answered = 0;  // the producer will not resend a batch up to this number
};
struct Enqueue {
  RequestId request = 0;
  std::string topic;
  std::uint16_t partition = 0;
  std::optional<ProducerStamp> producer;
  std::vector<NewJob> jobs;
};

struct HeldJob {
  std::string topic;  // empty: the session may not hold it
  std::uint16_t partition = 0;
  std::uint64_t seq = 0;
  Token token = 0;
};
struct SessionOpen {  // HELLO of a worker, the first or a later one
  RequestId request = 0;
  SessionId session{};
  std::string name;
  std::vector<HeldJob> held;
};
struct SessionBeat {
  SessionId session{};
};
struct SessionClose {  // GOODBYE
  RequestId request = 0;
  SessionId session{};
};
struct SessionDied {  // reported by the supervisor of its process
  SessionId session{};
  std::string how;
};
struct Subscribe {
  RequestId request = 0;
  SessionId session{};
  std::vector<std::string> topics;
  std::uint64_t credit = 0;
};
struct Grant {
  SessionId session{};
  std::uint64_t credit = 0;
};
struct Drain {
  RequestId request = 0;
  SessionId session{};
};

enum class OutcomeKind : std::uint8_t { completed, retry, discard, release, crashed };
struct JobOutcome {
  Token token = 0;
  OutcomeKind kind = OutcomeKind::completed;
  Bytes error, result;
  std::optional<std::int64_t> retry_after_ms;
};
struct Settle {
  RequestId request = 0;
  SessionId session{};
  std::vector<JobOutcome> outcomes;
  std::uint64_t credit = 0;
};
struct Progress {
  SessionId session{};
  Token token = 0;
  std::optional<std::uint32_t> percent;
  std::string note;
};

struct Cancel {
  RequestId request = 0;
  std::string topic;
  std::uint16_t partition = 0;
  std::uint64_t seq = 0;
  ChangeId change{};
  using Answer = Cancelled;
  [[nodiscard]] RequestKind kind() const { return RequestKind::cancel; }
};
struct DeadCommand {  // requeue, or purge
  RequestId request = 0;
  bool purge = false;
  std::string topic;
  std::vector<std::pair<std::uint16_t, std::uint64_t>> jobs;  // partition, seq; empty: the oldest
  std::size_t jobs_max = dead_batch_max;
  ChangeId change{};
  using Answer = Counted;
  [[nodiscard]] RequestKind kind() const {
    return purge ? RequestKind::purge : RequestKind::requeue;
  }
};

struct Tick {};      // time has passed: leases, due times, upkeep
struct Dispatch {};  // the end of a turn: deliver ready jobs to credit, request pages, write counts
// The messages of the oldest turn that had not been sent have now been sent. A delivery that was
// not sent is no attempt: the death of its worker does not count for the job.
struct TurnLeft {};

using Command = std::variant<OpenTopic, PauseTopic, Enqueue, SessionOpen, SessionBeat, SessionClose,
                             SessionDied, Subscribe, Grant, Drain, Settle, Progress, Cancel,
                             DeadCommand, ReadyLoaded, DueLoaded, JobLoaded, DeadLoaded,
                             ExpiredLoaded, Tick, Dispatch, TurnLeft>;

}  // namespace millrace::core
