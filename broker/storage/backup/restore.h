// Restores a backup in place of a broker's files, with no broker running. Job ids and tokens that
// were assigned after the backup are never assigned again: job numbers continue after a gap, and
// the epoch is raised, so that every earlier token is stale. Worker sessions and leases are
// dropped: jobs that ran are available again.
#pragma once

#include "storage/backup/manifest.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::storage {

// Numbers skipped in each partition, for ids that were assigned after the backup: at least as many
// as the partition could have assigned since. And epochs, for starts since.
inline constexpr std::uint64_t seq_gap_min = 1'000'000'000;
inline constexpr std::uint64_t seq_gap_a_second = 100'000;
inline constexpr std::uint64_t seq_gap_max = 64 * seq_gap_min;
inline constexpr std::uint64_t epoch_gap = 4'096;
[[nodiscard]] std::uint64_t seq_gap(std::int64_t age_ms);

// A marker file in a data folder while its files are being replaced; a broker does not start then.
inline constexpr const char* restoring_file = "restoring";

enum class RestoreEnd : std::uint8_t { done, damaged, not_found, not_free, disk };
struct Restored {
  RestoreEnd end = RestoreEnd::done;
  std::vector<std::string>
      wrongs;  // why the restore failed; the data folder is unchanged, or has the marker file
  Manifest manifest;
  std::uint64_t seq_gap = 0;
  std::string replaced;  // where the files that lay there before are now; empty: there were none
};
// replace: files of a broker that lie in data_dir are set aside, never deleted.
[[nodiscard]] Restored restore(const std::string& backup, const std::string& data_dir, bool replace,
                               std::int64_t now_wall_ms);

}  // namespace millrace::storage
