#include "topology.h"

#include "wire/codec.h"

#include <algorithm>

namespace millrace {

bool Topology::update(std::string_view body, const std::vector<std::string>& asked) {
  const auto told = wire::decode<wire::TopologyOk>(body);
  if (!told || told->shards.empty()) return false;
  const auto fits = [&](const std::vector<std::uint64_t>& owners) {
    return !owners.empty() && std::all_of(owners.begin(), owners.end(), [&](std::uint64_t shard) {
      return shard < told->shards.size();
    });
  };
  if (!fits(told->default_partitions)) return false;
  shards_.clear();
  for (const auto& shard : told->shards) shards_.emplace_back(shard.begin(), shard.end());
  for (const auto& name : asked) topics_[name] = told->default_partitions;
  for (const auto& [name, owners] : told->topics) {
    if (fits(owners)) topics_[std::string(name)] = owners;
  }
  return true;
}

const std::vector<std::uint64_t>* Topology::topic(const std::string& name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : &found->second;
}

}  // namespace millrace
