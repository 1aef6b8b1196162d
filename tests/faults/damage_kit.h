// Files of a broker that is not running, ways to damage a copy of them, and the reaction of the
// store. The files are of three kinds: closed cleanly, left by kill -9 with a log that was not
// checkpointed, and left by kill -9 with a log that was checkpointed in part.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace millrace::faults {

struct Trial {
  std::string what;       // what was damaged, where
  std::string how_seen;   // empty: nobody saw it
  std::string violation;  // empty: well
};

class DamageKit {
 public:
  DamageKit();
  ~DamageKit();
  DamageKit(const DamageKit&) = delete;
  DamageKit& operator=(const DamageKit&) = delete;

  [[nodiscard]] Trial try_damage(std::mt19937_64& rng);

 private:
  struct Sample {
    std::string folder, rows;  // rows: all of them as text
  };
  void make_samples();
  [[nodiscard]] Sample keep(const std::string& name, const std::string& from) const;

  std::string folder_;
  std::vector<Sample> samples_;
};

}  // namespace millrace::faults
