// Puts a backup in place of a broker's files, with no broker running. What was handed out after the
// backup is never taken for something else: job numbers go on behind a gap, and the epoch is
// raised, so that every token from before is stale. Worker sessions and leases are dropped: jobs
// that ran are available again.
#pragma once

#include "storage/backup/manifest.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::storage {

// Numbers left out in each partition, for ids that were handed out after the backup: at least as
// many as it could have given in the time since. And epochs, for starts since.
inline constexpr std::uint64_t seq_gap_min = 1'000'000'000;
inline constexpr std::uint64_t seq_gap_a_second = 100'000;
inline constexpr std::uint64_t seq_gap_max = 64 * seq_gap_min;
inline constexpr std::uint64_t epoch_gap = 4'096;
[[nodiscard]] std::uint64_t seq_gap(std::int64_t age_ms);

// Lies in a data folder while its files are being replaced; a broker does not start then.
inline constexpr const char* restoring_file = "restoring";

enum class RestoreEnd : std::uint8_t { done, damaged, not_found, not_free, disk };
struct Restored {
  RestoreEnd end = RestoreEnd::done;
  std::vector<std::string> wrongs;  // why not; the data folder is as it was, or says so
  Manifest manifest;
  std::uint64_t seq_gap = 0;
  std::string replaced;  // where the files that lay there before are now; empty: there were none
};
// replace: files of a broker that lie in data_dir are set aside, never deleted.
[[nodiscard]] Restored restore(const std::string& backup, const std::string& data_dir, bool replace,
                               std::int64_t now_wall_ms);

}  // namespace millrace::storage
