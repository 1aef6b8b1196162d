#include "access/key_ring.h"

#include "access/key_file.h"
#include "access/key_text.h"
#include "wire/secret_file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace millrace::access {
namespace {

std::vector<std::string> files_of(const std::string& folder, std::vector<std::string>& errors) {
  std::vector<std::string> paths;
  DIR* const open = ::opendir(folder.c_str());
  if (open == nullptr) {
    errors.push_back(folder + ": the folder of keys cannot be read: " + std::strerror(errno));
    return paths;
  }
  while (const dirent* const entry = ::readdir(open)) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".toml") && !name.starts_with('.')) {
      paths.push_back(folder + "/" + std::string(name));
    }
  }
  ::closedir(open);
  std::sort(paths.begin(), paths.end());
  return paths;
}

// All that tells a file from what it was before.
std::string look_of(const std::string& folder) {
  std::vector<std::string> errors;
  std::string look;
  struct stat own {};
  if (::stat(folder.c_str(), &own) == 0) look = std::to_string(own.st_mode) + "\n";
  for (const auto& path : files_of(folder, errors)) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) continue;
    look += path + " " + std::to_string(found.st_ino) + " " + std::to_string(found.st_size) + " " +
            std::to_string(found.st_mode) + " " + std::to_string(found.st_mtim.tv_sec) + "." +
            std::to_string(found.st_mtim.tv_nsec) + " " + std::to_string(found.st_ctim.tv_sec) +
            "." + std::to_string(found.st_ctim.tv_nsec) + "\n";
  }
  for (const auto& error : errors) look += error;
  return look;
}

// Who can write it can give himself any role.
std::string writable_by_others(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || (found.st_mode & S_IWOTH) == 0) return {};
  return path +
         " can be changed by every user of this machine, so it does not count: run chmod "
         "o-w on it";
}

void read_one(const std::string& path, KeyTable& table) {
  if (auto wrong = writable_by_others(path); !wrong.empty()) {
    table.errors.push_back(std::move(wrong));
    return;
  }
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown)) {
    table.errors.push_back(path + " is not a file, so it does not count");
    return;
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(wire::secret_file_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || !file.is_open()) {
    table.errors.push_back(path + ": cannot be read: " + std::strerror(errno));
    return;
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  auto key = parse_key(path, text, table.errors);
  if (!key) return;
  const auto read = std::make_shared<const Key>(std::move(*key));
  const auto clash = [&](const auto& map, const std::string& secret, const char* what) {
    const auto found = secret.empty() ? map.end() : map.find(secret);
    if (found == map.end()) return false;
    table.errors.push_back(path + " has the same " + what + " as " + found->second->name +
                           ".toml, so it does not count: make a key for each with millrace keys "
                           "new");
    return true;
  };
  if (clash(table.by_public_key, read->public_key, "public_key") ||
      clash(table.by_token, read->token_sha256, "token_sha256")) {
    return;
  }
  table.by_name.emplace(read->name, read);
  if (!read->public_key.empty()) table.by_public_key.emplace(read->public_key, read);
  if (!read->token_sha256.empty()) table.by_token.emplace(read->token_sha256, read);
}

KeyRef find(const std::map<std::string, KeyRef, std::less<>>& map, std::string_view text) {
  const auto found = map.find(text);
  return found == map.end() ? nullptr : found->second;
}

}  // namespace

KeyTable read_keys(const std::string& folder) {
  KeyTable table;
  const auto paths = files_of(folder, table.errors);
  if (auto wrong = writable_by_others(folder); !wrong.empty()) {
    table.errors.push_back(std::move(wrong));
    return table;
  }
  for (const auto& path : paths) read_one(path, table);
  return table;
}

KeyRing::KeyRing(std::string folder, Told told, std::chrono::milliseconds look_every)
    : folder_(std::move(folder)),
      told_(std::move(told)),
      look_every_(look_every),
      seen_(look_of(folder_)) {
  table_ = std::make_shared<const KeyTable>(read_keys(folder_));
  if (told_) told_(*table_, {});
  thread_ = std::thread([this] { watch(); });
}

KeyRing::~KeyRing() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

KeyTableRef KeyRing::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

KeyRef KeyRing::by_public_key(std::string_view public_key) const {
  return find(table()->by_public_key, public_key);
}

KeyRef KeyRing::by_token(std::string_view token) const {
  return find(table()->by_token, sha256_hex(token));
}

KeyRef KeyLookup::by_public_key(std::string_view public_key) {
  if (ring_ == nullptr) return nullptr;
  // The version first: a change in between is looked at again the next time.
  if (const std::uint64_t version = ring_->version(); version != version_) {
    table_ = ring_->table();
    version_ = version;
  }
  return find(table_->by_public_key, public_key);
}

void KeyRing::watch() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, look_every_, [this] { return stop_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void KeyRing::look() {
  std::string looks = look_of(folder_);
  if (looks == seen_) return;
  seen_ = std::move(looks);
  const auto next = std::make_shared<const KeyTable>(read_keys(folder_));
  const auto before = table();
  {
    const std::lock_guard lock(mutex_);
    table_ = next;
  }
  ++version_;
  if (told_) told_(*next, *before);
}

}  // namespace millrace::access
