// The interface by which metrics, logs and traces observe a shard: every transition once, after the
// commit that made it true and after its answers have been sent.
// Threads: an object belongs to one shard and is called on that shard's thread, so it must not
// block.
#pragma once

#include "core/effect.h"
#include "core/engine.h"
#include "runtime/state_questions.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::runtime {

class Hooks {
 public:
  Hooks() = default;
  virtual ~Hooks() = default;
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  // topic: its name; empty for events of sessions.
  virtual void on_event(const core::Event& /*event*/, std::string_view /*topic*/) {}
  // jobs: enqueued and ended by that commit.
  virtual void on_commit(std::uint64_t /*us*/, std::size_t /*jobs*/) {}
  // Called at each lease tick with the state, which must not be kept.
  virtual void on_tick(const core::Engine& /*engine*/, const ShardFacts& /*facts*/,
                       core::Now /*now*/) {}
};

}  // namespace millrace::runtime
