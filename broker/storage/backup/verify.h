// Verifies a backup, a data folder or one shard's file without changing it.
#pragma once

#include "storage/backup/manifest.h"

#include <optional>
#include <string>
#include <vector>

namespace millrace::storage {

struct Verdict {
  bool found = true;                 // false: there is nothing of Millrace at that path
  std::vector<std::string> wrongs;   // a sentence each; none: no damage found
  std::vector<ShardCopy> files;      // as found; sizes and checksums of a backup only
  std::optional<Manifest> manifest;  // of a backup

  [[nodiscard]] bool sound() const { return found && wrongs.empty(); }
};

// A folder with a manifest is also checked against it; a folder without one is a data folder.
[[nodiscard]] Verdict verify(const std::string& path);
// As verify(), and the path must be a backup.
[[nodiscard]] Verdict verify_backup(const std::string& folder);

}  // namespace millrace::storage
