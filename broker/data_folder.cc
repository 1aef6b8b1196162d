#include "data_folder.h"

#include "storage/backup/restore.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

namespace millrace {
namespace {

constexpr std::string_view socket_scheme = "ipc://";

// That the start needs, each once.
std::set<std::string> folders_of(const Config& config) {
  std::set<std::string> folders{config.data_dir};
  for (const auto& address : config.listen) {
    if (address.compare(0, socket_scheme.size(), socket_scheme) != 0) continue;
    const auto folder =
        std::filesystem::path(address.substr(socket_scheme.size())).parent_path().string();
    folders.insert(folder.empty() ? "." : folder);
  }
  return folders;
}

// Empty when it is whole, else a sentence.
std::string half_restored(const Config& config) {
  std::error_code error;
  const std::string mark = config.data_dir + "/" + storage::restoring_file;
  if (!std::filesystem::exists(mark, error)) return {};
  return "a restore into " + config.data_dir +
         " was cut off, so that files may be missing: do it again, with --replace";
}

std::string shards_file(const Config& config) { return config.data_dir + "/shards"; }

// Partitions are dealt to shards by their number, so that another number would look for jobs in the
// wrong files. The folder remembers the one it was made with. Empty when it fits, else a sentence.
std::string other_shards(const Config& config) {
  std::ifstream file(shards_file(config));
  std::uint32_t made_with = 0;
  if (!(file >> made_with) || made_with == config.shards) return {};
  return config.data_dir + " was made with shards = " + std::to_string(made_with) +
         ", and this is " + std::to_string(config.shards) +
         ": set it back, or drain the jobs and start on an empty folder";
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
    wrong.push_back(folder + " is a file, and has to be a folder: name another, or move it away");
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
    missing.push_back("the folder " + folder + " does not exist: the start needs it");
  }
  return missing;
}

std::string remember_shards(const Config& config) {
  const std::string path = shards_file(config);
  // Written once: a crash in the middle would leave it empty.
  std::uint32_t made_with = 0;
  if (std::ifstream(path) >> made_with && made_with == config.shards) return {};
  std::ofstream file(path);
  file << config.shards << "\n";
  file.close();
  return file ? std::string()
              : "writing " + path + ": " + std::strerror(errno) + "; look at its mode and disk";
}

}  // namespace millrace
