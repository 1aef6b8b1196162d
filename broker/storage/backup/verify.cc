#include "storage/backup/verify.h"

#include "storage/backup/contents.h"
#include "storage/backup/disk.h"
#include "storage/files.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace millrace::storage {
namespace {

namespace fs = std::filesystem;

void add(std::vector<std::string>& to, std::vector<std::string>&& more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// Compares one file with its entry in the manifest.
void compare(const std::string& path, const ShardCopy& told, Verdict& verdict) {
  const auto bytes = real_files().size(path);
  if (!bytes) return verdict.wrongs.push_back(path + " is missing");
  if (*bytes != told.bytes) {
    return verdict.wrongs.push_back(path + " has " + std::to_string(*bytes) +
                                    " bytes, but the manifest says " + std::to_string(told.bytes));
  }
  const auto sum = sha256_of(path);
  if (!sum) return verdict.wrongs.push_back(sum.error().message);
  if (*sum != told.sha256) {
    return verdict.wrongs.push_back(path + " was changed: its SHA-256 is " + *sum +
                                    ", but the manifest says " + told.sha256);
  }
  SoundFile sound = check_shard(path);
  if (sound.wrongs.empty() && sound.contents != told.contents) {
    sound.wrongs.push_back(path + " has contents that differ from the manifest");
  }
  add(verdict.wrongs, std::move(sound.wrongs));
  verdict.files.push_back({told.file, *bytes, *sum, told.taken_ms, std::move(sound.contents)});
}

void verify_file(const std::string& path, Verdict& verdict) {
  SoundFile sound = check_shard(path);
  add(verdict.wrongs, std::move(sound.wrongs));
  ShardCopy file;
  file.file = fs::path(path).filename();
  file.bytes = real_files().size(path).value_or(0);
  file.contents = std::move(sound.contents);
  verdict.files.push_back(std::move(file));
}

Verdict verify_data(const std::string& folder) {
  Verdict verdict;
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("shard-") && name.ends_with(".db")) names.insert(name);
  }
  for (const auto& name : names) verify_file(in_folder(folder, name), verdict);
  verdict.found = !names.empty();
  return verdict;
}

}  // namespace

Verdict verify_backup(const std::string& folder) {
  Verdict verdict;
  std::error_code error;
  verdict.found = fs::exists(folder + "/" + manifest_file, error);
  if (!verdict.found) return verdict;
  auto manifest = read_manifest(folder);
  if (!manifest) {
    verdict.wrongs.push_back(manifest.error().message);
    return verdict;
  }
  for (const auto& shard : manifest->shards) compare(folder + "/" + shard.file, shard, verdict);
  verdict.manifest = std::move(*manifest);
  return verdict;
}

Verdict verify(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    const bool backup = fs::exists(path + "/" + manifest_file, error) ||
                        fs::exists(path + "/" + manifest_sum_file, error);
    if (!backup) return verify_data(path);
    Verdict verdict = verify_backup(path);
    if (!verdict.found) {
      verdict.found = true;
      verdict.wrongs.push_back(path + "/" + manifest_file + " is missing");
    }
    return verdict;
  }
  Verdict verdict;
  verdict.found = fs::exists(path, error);
  if (verdict.found) verify_file(path, verdict);
  return verdict;
}

}  // namespace millrace::storage
