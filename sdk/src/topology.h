// Which shard serves which partition, as the broker last reported it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

class Topology {
 public:
  // False if the body is not a topology. Topics that were asked for and are not in it do not
  // exist yet: they get the default.
  bool update(std::string_view body, const std::vector<std::string>& asked);

  [[nodiscard]] const std::vector<std::vector<std::string>>& shards() const { return shards_; }
  [[nodiscard]] bool known() const { return !shards_.empty(); }
  // Partition -> shard; null: ask first.
  [[nodiscard]] const std::vector<std::uint64_t>* topic(const std::string& name) const;
  void forget(const std::string& name) { topics_.erase(name); }

 private:
  std::vector<std::vector<std::string>> shards_;
  std::map<std::string, std::vector<std::uint64_t>> topics_;
};

}  // namespace millrace
