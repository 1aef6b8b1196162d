// Which shard a partition belongs to, permanently. The rule is defined only here: the engine that
// serves partitions and the topology that clients receive both use it.
#pragma once

#include <cstdint>

namespace millrace::core {

class ShardMap {
 public:
  ShardMap() = default;
  explicit ShardMap(std::uint32_t shards) : shards_(shards) {}

  [[nodiscard]] std::uint32_t shards() const { return shards_; }
  // The same in every topic. Partitions of one topic go round the shards.
  [[nodiscard]] std::uint32_t shard_of(std::uint32_t partition) const {
    return partition % shards_;
  }

 private:
  std::uint32_t shards_ = 1;
};

}  // namespace millrace::core
