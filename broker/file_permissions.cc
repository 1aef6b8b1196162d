#include "file_permissions.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <filesystem>

namespace millrace {
namespace {

constexpr mode_t others = S_IRWXO, group = S_IRWXG;

// Quoted for a shell, whatever characters it has.
std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char ch : path) text += ch == '\'' ? std::string("'\\''") : std::string(1, ch);
  return text + "'";
}

bool is_open(const std::filesystem::path& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && (found.st_mode & others) != 0;
}

std::string words_about(const std::string& folder) {
  struct stat found {};
  if (::stat(folder.c_str(), &found) != 0 || (found.st_mode & others) == 0) return {};
  if ((found.st_mode & S_ISVTX) != 0) {
    return folder +
           " is a folder that every user may write to: choose a folder that only the broker can "
           "access";
  }
  std::string command = "chmod o-rwx " + quoted(folder);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("shard-") && is_open(entry.path())) command += " " + quoted(entry.path());
  }
  return fmt::format(
      "{} is accessible to every user of this machine (mode {:04o}): restrict it with {}", folder,
      found.st_mode & 07777U, command);
}

}  // namespace

void close_to_others() {
  const mode_t given = ::umask(others);
  if ((given & group) == group) ::umask(group | others);
}

std::vector<std::string> open_to_others(const Config& config) {
  std::vector<std::string> all;
  for (const auto& folder : {config.data_dir, config.backup_dir}) {
    auto words = folder.empty() ? std::string() : words_about(folder);
    if (!words.empty()) all.push_back(std::move(words));
  }
  return all;
}

}  // namespace millrace
