// Questions that the engine's state answers at once: topology, topics, status, sessions.
#pragma once

#include "core/engine.h"
#include "net/dispatcher.h"
#include "storage/store.h"

#include <string>
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

[[nodiscard]] std::string answer(const net::Question& question, wire::Verb verb,
                                 const core::Engine& engine, const Topology& topology,
                                 const core::EngineOptions& options, const ShardFacts& facts,
                                 core::Now now);

}  // namespace millrace::runtime
