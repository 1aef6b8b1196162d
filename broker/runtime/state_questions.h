// The verbs that are answered from a shard's state in memory, in the turn that they came in:
// topology, topics, status, sessions, heartbeats.
#pragma once

#include "access/key.h"
#include "core/engine.h"
#include "storage/store.h"
#include "wire/messages.h"

#include <millrace/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace millrace::runtime {

// The endpoints of every shard; the same in all shards of a broker.
using Topology = std::vector<std::vector<std::string>>;

using StoreGauges = std::vector<storage::StoreGauge>;

struct ShardFacts {
  std::string version;
  std::uint32_t shard = 0;
  std::uint64_t epoch = 0, uptime_ms = 0, commits = 0, store_bytes = 0, disk_free_bytes = 0,
                batch_jobs = 0;
  StoreGauges store_gauges;              // of this kind of store alone
  std::vector<std::uint64_t> commit_us;  // of the last commits
  bool accepting = true;
  std::string refusing;           // why enqueue is refused; empty: it is not
  std::string check = "running";  // verdict of the full check
};

// What the answers are made of.
struct ShardState {
  const core::Engine& engine;
  const Topology& topology;
  const Topology& advertised;  // what clients with a key are told; empty: the same
  const core::EngineOptions& options;
  const ShardFacts& facts;
  core::Now now;
  const access::Key* key = nullptr;  // of the asker: sees its topics alone; null: sees all
};

// The body of the answer; an error for a body that is invalid. Only for verbs of the kind question.
[[nodiscard]] Result<std::string> answer_question(wire::Verb verb, std::string_view body,
                                                  const ShardState& state);

}  // namespace millrace::runtime
