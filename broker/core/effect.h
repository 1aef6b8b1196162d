// The effects of a step. Changes go to storage as one transaction; replies, deliveries, revokes and
// events leave the process only after that transaction has committed; loads are requested from
// storage after it.
#pragma once

#include "core/change.h"
#include "core/command.h"
#include "core/load.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace millrace::core {

enum class Refusal : std::uint8_t {
  invalid,
  no_session,
  unknown_topic,
  not_found,
  conflict,
  not_owner,
  overloaded,
  stale,
  duplicate,
};
struct Refused {
  Refusal why = Refusal::invalid;
  std::string message;
  std::int64_t retry_after_ms = 0;
};
struct Accepted {};  // the plain OK
struct Stored {
  std::uint64_t first_seq = 0;
  std::uint32_t count = 0;
  bool duplicate = false;
};
struct Opened {
  std::vector<Token> lost;
};
struct Settled {
  std::vector<Token> stale;
};
// The answers to requests that carry an id: each can be stored in a RequestRow, and made again from
// it for a copy of the request.
struct Changed {
  bool value = false;
  void store(RequestRow& row) const { row.value = value ? 1 : 0; }
  [[nodiscard]] static Changed from(const RequestRow& row) { return {row.value != 0}; }
};
struct Cancelled {
  void store(RequestRow& /*row*/) const {}
  [[nodiscard]] static Cancelled from(const RequestRow& /*row*/) { return {}; }
};
struct Counted {
  std::uint64_t count = 0;
  bool more = false;
  void store(RequestRow& row) const {
    row.value = count;
    row.more = more;
  }
  [[nodiscard]] static Counted from(const RequestRow& row) { return {row.value, row.more}; }
};
using ReplyBody =
    std::variant<Refused, Accepted, Stored, Opened, Settled, Changed, Cancelled, Counted>;
struct Reply {
  RequestId request = 0;
  ReplyBody body;
};

struct Delivered : JobOptions {
  std::uint64_t seq = 0;
  Token token = 0;
  std::uint32_t attempt = 0;
  std::int64_t enqueued_ms = 0;
};
struct Delivery {
  SessionId session{};
  PartitionRef where;
  std::int64_t run_ms_max = 0;
  std::vector<Delivered> jobs;
};

enum class RevokeReason : std::uint8_t { cancelled, lease_lost };
struct Revoke {
  SessionId session{};
  std::vector<Token> tokens;
  RevokeReason reason = RevokeReason::cancelled;
};

// The events for the hooks: every transition, once, after its commit.
enum class EventKind : std::uint8_t {
  enqueued,
  delivered,
  completed,
  retried,
  released,
  crashed,
  cancelled,
  died,
  requeued,
  purged,
  session_opened,
  session_closed,
  session_lost,
};
[[nodiscard]] std::string_view to_string(EventKind kind);
struct Event {
  EventKind kind = EventKind::enqueued;
  JobRef ref;               // topic 0 for events of sessions; the first job of an enqueued batch
  std::uint32_t count = 1;  // jobs, for enqueued
  std::uint32_t attempt = 0;
  DeadReason reason = DeadReason::none;
  std::int64_t wait_ms = 0;  // delivered: since it was enqueued or due
  std::int64_t run_ms = 0;   // ends of a run: since its delivery
  SessionId session{};
};

struct Effects {
  ChangeSet changes;
  std::vector<Reply> replies;
  std::vector<Delivery> deliveries;
  std::vector<Revoke> revokes;
  std::vector<Event> events;
  std::vector<Load> loads;

  // Empties it, and keeps the memory of the members that grow with the number of jobs.
  void clear();
  [[nodiscard]] std::size_t room() const;  // elements
};

}  // namespace millrace::core
