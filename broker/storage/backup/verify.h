// Judges a backup, a data folder or one shard's file, changing nothing.
#pragma once

#include "storage/backup/manifest.h"

#include <optional>
#include <string>
#include <vector>

namespace millrace::storage {

struct Verdict {
  bool found = true;                 // false: there is nothing of Millrace at that path
  std::vector<std::string> wrongs;   // a sentence each; none: it is sound
  std::vector<ShardCopy> files;      // as found; sizes and checksums of a backup only
  std::optional<Manifest> manifest;  // of a backup

  [[nodiscard]] bool sound() const { return found && wrongs.empty(); }
};

// A folder with a manifest is judged against it, too; one without is a data folder.
[[nodiscard]] Verdict verify(const std::string& path);
// A backup: what verify() says of one, and that path is one.
[[nodiscard]] Verdict verify_backup(const std::string& folder);

}  // namespace millrace::storage
