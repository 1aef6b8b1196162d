// The machine that the broker runs on: its disk, its clocks, and the broker's process, which is the
// real shard over the real store. It may stop for a while, die at any message or disk operation,
// and start again, with or without a power loss.
#pragma once

#include "client.h"
#include "late_store.h"
#include "row_source.h"
#include "sim_disk.h"

#include "runtime/shard.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::testing {

class Machine : public runtime::ShardPort {
 public:
  explicit Machine(Surroundings& around);
  ~Machine() override;

  // Turns and ticks that are due; starts the process if it is time.
  void step();
  void pause_until(std::int64_t ms) { paused_until_ms_ = ms; }
  void kill(bool power);
  void crash_after_sends(std::uint64_t count, bool power);
  void crash_after_operations(std::uint64_t count, bool power);
  void crash_in_start(std::uint64_t operations, bool power);
  void fail_operation(std::uint64_t after, DiskFault fault);
  void fill_disk(bool full);
  void worker_died(const core::SessionId& session) { deaths_.push_back(session); }

  [[nodiscard]] bool alive() const { return shard_ != nullptr; }
  // Nothing is left to do.
  [[nodiscard]] bool all_ended() const;
  // Faults are over: whatever is armed is taken back.
  void calm();
  // The broker's counters, an orderly end, and every row.
  void finish();

  // ShardPort
  bool send(const std::string& peer, std::string_view header, std::string_view body) override;
  void worker_came(const net::Incoming& hello, const core::SessionId& session,
                   std::uint64_t pid) override;
  void worker_went(const core::SessionId& session) override;
  void outdated(const core::Delivery& delivery) override;

 private:
  [[nodiscard]] core::Now now() const;
  void start();
  void turn();
  void storage_answers();
  void storage_catches_up();
  void after_call();
  void end_process();
  void die(bool power, const std::string& why);
  void note_issue(std::string_view body, bool left);
  void note_counts();
  [[nodiscard]] std::vector<core::SessionId> closed();

  Surroundings& around_;
  SimDisk disk_;
  std::mt19937_64 random_;
  std::unique_ptr<runtime::Shard> shard_;
  LateStore* late_ = nullptr;         // the shard's, where it answers late
  std::int64_t silent_until_ms_ = 0;  // it answers nothing till then
  bool connection_breaks_ = false;    // and then its connection is lost
  std::unique_ptr<RowAnswers> rows_;  // reads the shard's store: it goes first
  std::vector<core::SessionId> deaths_;
  std::map<core::SessionId, std::string> peers_;  // the newest connection of each worker
  std::int64_t booted_ms_ = 0, starts_ms_ = 0, paused_until_ms_ = 0, ticked_ms_ = 0;
  std::optional<std::uint64_t> sends_left_, start_operations_;
  bool dead_ = false;        // the process ended inside a call
  bool power_goes_ = false;  // with the next death
  bool full_ = false;
  std::uint64_t failed_starts_ = 0;
};

}  // namespace millrace::testing
