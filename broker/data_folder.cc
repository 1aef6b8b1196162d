#include "data_folder.h"

#include "addresses.h"
#include "storage/backup/restore.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <system_error>

namespace millrace {
namespace {

// The folders that the start needs, each once.
std::set<std::string> folders_of(const Config& config) {
  std::set<std::string> folders{config.data_dir};
  for (const auto& address : config.listen) folders.insert(socket_folder(address));
  folders.erase("");
  return folders;
}

// Empty if no restore was interrupted, else an error sentence.
std::string half_restored(const Config& config) {
  std::error_code error;
  const std::string mark = config.data_dir + "/" + storage::restoring_file;
  if (!std::filesystem::exists(mark, error)) return {};
  return "a restore into " + config.data_dir +
         " was interrupted, so files may be missing: run the restore again with --replace";
}

std::string shards_file(const Config& config) { return config.data_dir + "/shards"; }

// The number of shards that the folder was created with; empty if it is not recorded.
std::optional<std::uint32_t> made_with(const Config& config) {
  std::ifstream file(shards_file(config));
  std::uint32_t shards = 0;
  if (!(file >> shards)) return std::nullopt;
  return shards;
}

// Partitions are assigned to shards by the number of shards, so that another number would read jobs
// from the wrong files. Empty if the number fits, else an error sentence.
std::string other_shards(const Config& config) {
  const auto before = made_with(config);
  if (!before || *before == config.shards) return {};
  return config.data_dir + " was created with shards = " + std::to_string(*before) +
         ", but the configuration says " + std::to_string(config.shards) +
         ": change it back, or finish all jobs and start with an empty folder";
}

}  // namespace

std::vector<std::string> wrong_with_folders(const Config& config) {
  std::vector<std::string> wrong;
  for (auto words : {half_restored(config), other_shards(config)}) {
    if (!words.empty()) wrong.push_back(std::move(words));
  }
  auto folders = folders_of(config);
  if (!config.backup_dir.empty()) folders.insert(config.backup_dir);
  for (const auto& folder : folders) {
    std::error_code error;
    const auto status = std::filesystem::status(folder, error);
    if (!std::filesystem::exists(status) || std::filesystem::is_directory(status)) continue;
    wrong.push_back(folder +
                    " is a file but must be a folder: choose another path or move the file away");
  }
  return wrong;
}

std::vector<std::string> missing_folders(const Config& config) {
  std::vector<std::string> missing;
  for (const auto& folder : folders_of(config)) {
    std::error_code error;
    if (std::filesystem::status(folder, error).type() != std::filesystem::file_type::not_found) {
      continue;
    }
    missing.push_back("the folder " + folder +
                      " does not exist: create it before you start the broker");
  }
  return missing;
}

std::string remember_shards(const Config& config) {
  // Written once: a crash in the middle would leave it empty.
  if (made_with(config) == config.shards) return {};
  const std::string path = shards_file(config);
  std::ofstream file(path);
  file << config.shards << "\n";
  file.close();
  return file ? std::string()
              : "cannot write " + path + ": " + std::strerror(errno) +
                    "; check its permissions and the disk";
}

}  // namespace millrace
