// The contract of durable storage for one shard. Two rules: a commit that was answered is on disk,
// and after a failed commit the store answers nothing more (the process stops and recovers).
//
// Asynchronous in shape: a store may answer inside the call or later, always on the caller's
// thread. Commits are answered in the order of their calls, loads in theirs; a commit and a load
// that are in flight may be answered in either order. A load shows every commit that was answered
// before it was asked, and may show later ones, also such as are not answered yet. Every call is
// answered: a store that cannot determine the outcome of a commit reports it as failed. Threads: a
// change set and every core::Bytes in it belong to the caller's thread, for their counts are not
// atomic. A store that writes in another thread copies what it needs inside commit(). Nothing here
// depends on the database.
#pragma once

#include "core/change.h"
#include "core/command.h"
#include "core/engine.h"
#include "core/load.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace millrace::storage {

enum class FailureKind : std::uint8_t {
  busy,      // another process owns the store
  damaged,   // a check failed
  too_new,   // made by a newer version
  not_ours,  // a database, but not one of Millrace
  no_space,
  read_only,
  io,  // any other error of the disk or the database
};
struct Failure {
  FailureKind kind = FailureKind::io;
  std::string message;  // what happened, where, and what to do
};
template <typename T>
using Expected = tl::expected<T, Failure>;

struct CommitStats {
  std::uint64_t rows = 0;
};

// Queries to the background reader (JOB, JOBS): rows for the views. The runtime adds due rows,
// leases and progress.
struct JobRow {
  core::Job job;
  core::State state = core::State::available;  // final ones too
  core::DeadReason reason = core::DeadReason::none;
  std::int64_t started_ms = 0, finished_ms = 0;
  std::string worker;
  core::Bytes result;
  std::uint64_t payload_bytes = 0;
};
struct ListFilter {
  std::optional<core::TopicId> topic;
  std::optional<std::vector<core::TopicId>> visible;  // rows of other topics are left out
  std::optional<core::State> state;  // running is the runtime's own knowledge, not asked here
  std::optional<core::JobRef> after;
  std::size_t rows_max = 50;
  std::int64_t now_wall_ms = 0;  // rows whose due time has passed are available
};

// A value that only one kind of store has, shown as the metric millrace_NAME of each shard. The
// texts live as long as the program.
struct StoreGauge {
  std::string_view name;  // units last
  std::string_view help;
  std::uint64_t value = 0;
};

struct StoreFacts {
  std::uint64_t store_bytes = 0, disk_free_bytes = 0;
  std::vector<StoreGauge> gauges;  // in an order of the store's own
  std::string gone;       // the file is not at its path any more, as a sentence; empty: it is
  bool checksums = true;  // damage to what is stored is seen whenever it is read
};

// A connection that only reads; made by Store::reader(), used from one thread of its own.
class Reader {
 public:
  virtual ~Reader() = default;
  [[nodiscard]] virtual Expected<std::optional<JobRow>> job(const core::JobRef& ref,
                                                            bool with_payload) = 0;
  // By rising topic, partition, seq; payloads left out (payload_bytes is set).
  [[nodiscard]] virtual Expected<std::vector<JobRow>> list(const ListFilter& filter) = 0;
  // The full integrity check, whose duration grows with the store. "ok", or the damage found.
  // Interrupted (answers "interrupted") once stop() turns true.
  [[nodiscard]] virtual Expected<std::string> check(const std::function<bool()>& stop) = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // Loads the state that an engine needs to start; raises and stores the epoch. Called once, first.
  [[nodiscard]] virtual Expected<core::Recovered> recover() = 0;
  [[nodiscard]] virtual std::uint64_t epoch() const = 0;

  using Committed = std::function<void(Expected<CommitStats>)>;
  virtual void commit(core::ChangeSet&& changes, Committed done) = 0;

  // Answers with the command that carries the rows (ReadyLoaded …). Reads committed rows only.
  using Loaded = std::function<void(Expected<core::Command>)>;
  virtual void load(const core::Load& load, Loaded done) = 0;

  // Called when the shard is idle: checkpoints and similar work, at most budget_ms. True: there is
  // more. A failure counts as a failure of commit().
  [[nodiscard]] virtual Expected<bool> upkeep(std::int64_t budget_ms) = 0;

  [[nodiscard]] virtual Expected<std::unique_ptr<Reader>> reader() const = 0;
  [[nodiscard]] virtual StoreFacts facts() const = 0;
};

}  // namespace millrace::storage
