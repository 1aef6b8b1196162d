#include "sim_disk.h"

#include "sim_vfs.h"
#include "storage/sqlite_handle.h"

#include <sqlite3.h>
#include <algorithm>

namespace millrace::testing {
namespace {

constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint64_t again_bytes = 16 << 10;

tl::unexpected<storage::Failure> power_is_off() {
  return tl::unexpected(storage::Failure{storage::FailureKind::io, "the simulated disk fails"});
}

bool meets(SimDisk::Operation operation, DiskFault fault) {
  switch (fault) {
    case DiskFault::io_error: return operation != SimDisk::Operation::entry;
    case DiskFault::no_space:
    case DiskFault::short_write: return operation == SimDisk::Operation::write;
    case DiskFault::lost_sync: return operation == SimDisk::Operation::sync;
  }
  return false;
}

void bring(std::string& to, const SimFile::Change& change) {
  if (change.truncates) {
    to.resize(change.at);
    return;
  }
  if (to.size() < change.at + change.bytes.size()) to.resize(change.at + change.bytes.size());
  to.replace(change.at, change.bytes.size(), change.bytes);
}

}  // namespace

struct SimDisk::Vfs {
  explicit Vfs(SimDisk& disk, const char* name) : vfs(sim_vfs(disk, name)) {
    storage::set_up_sqlite();
    sqlite3_vfs_register(&vfs, 0);
  }
  ~Vfs() { sqlite3_vfs_unregister(&vfs); }
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;
  sqlite3_vfs vfs;
};

SimDisk::SimDisk(const std::string& name, std::uint64_t seed)
    : name_(name), random_(seed), registered_(std::make_unique<Vfs>(*this, name_.c_str())) {}
SimDisk::~SimDisk() = default;

void SimDisk::copy_files(const SimDisk& from) {
  for (const auto& [path, file] : from.files_) {
    const auto copy = std::make_shared<SimFile>();
    copy->seen = copy->durable = file->seen;
    copy->entry_durable = true;
    files_[path] = copy;
  }
}

void SimDisk::fail_in(std::uint64_t operations, DiskFault fault) {
  fail_at_ = operations_ + operations;
  fault_ = fault;
  fault_done_ = false;
}

std::optional<DiskFault> SimDisk::next_operation(Operation operation) {
  if (off_) return DiskFault::io_error;
  ++operations_;
  if (cut_at_ != 0 && operations_ >= cut_at_) {
    off_ = true;
    return DiskFault::short_write;  // the last one may have begun
  }
  if (fail_at_ == 0 || operations_ < fail_at_ || !meets(operation, fault_)) return std::nullopt;
  fail_at_ = 0;
  fault_done_ = true;
  return fault_;
}

std::shared_ptr<SimFile> SimDisk::open(const std::string& path, bool create) {
  const auto found = files_.find(path);
  if (found != files_.end()) return found->second;
  if (!create || off_) return nullptr;
  return files_.emplace(path, std::make_shared<SimFile>()).first->second;
}

int SimDisk::write(SimFile& file, std::string_view bytes, std::uint64_t at) {
  const bool was_off = off_;
  const auto fault = next_operation(Operation::write);
  SimFile::Change change{at, std::string(bytes), false};
  if (fault) {
    if (*fault == DiskFault::no_space) return SQLITE_FULL;
    if (was_off || *fault != DiskFault::short_write) return SQLITE_IOERR_WRITE;
    change.bytes.resize(bytes.size() * (random_() % 100) / 100);
    bring(file.seen, change);
    file.pending.push_back(std::move(change));
    return SQLITE_IOERR_WRITE;
  }
  const std::uint64_t end = at + bytes.size();
  if (end > file.seen.size() && used() + end - file.seen.size() > capacity_) return SQLITE_FULL;
  bring(file.seen, change);
  file.pending.push_back(std::move(change));
  return SQLITE_OK;
}

int SimDisk::truncate(SimFile& file, std::uint64_t size) {
  if (next_operation(Operation::entry)) return SQLITE_IOERR_TRUNCATE;
  file.seen.resize(size);
  file.pending.push_back({size, {}, true});
  return SQLITE_OK;
}

int SimDisk::sync(SimFile& file, bool with_entry) {
  const bool was_off = off_;
  if (const auto fault = next_operation(Operation::sync)) {
    if (!was_off && *fault == DiskFault::lost_sync) {
      // As Linux does it: the pages are marked clean, whatever reached the disk.
      for (const auto& change : file.pending) {
        if (chance(50)) apply_torn(file.durable, change);
      }
      file.pending.clear();
    }
    return SQLITE_IOERR_FSYNC;
  }
  for (const auto& change : file.pending) bring(file.durable, change);
  file.pending.clear();
  file.entry_durable |= with_entry;
  return SQLITE_OK;
}

int SimDisk::remove(const std::string& path, bool sync_folder) {
  if (next_operation(Operation::entry)) return SQLITE_IOERR_DELETE;
  const auto found = files_.find(path);
  if (found == files_.end()) return SQLITE_IOERR_DELETE_NOENT;
  if (!sync_folder && found->second->entry_durable) {
    deleted_[path] = found->second;
  } else {
    deleted_.erase(path);
  }
  files_.erase(found);
  return SQLITE_OK;
}

void SimDisk::apply_torn(std::string& to, const SimFile::Change& change) {
  if (change.truncates) {
    if (chance(50)) bring(to, change);
    return;
  }
  for (std::uint64_t from = 0; from < change.bytes.size();) {
    const std::uint64_t room = sector_bytes - (change.at + from) % sector_bytes;
    std::uint64_t count = std::min<std::uint64_t>(room, change.bytes.size() - from);
    const std::uint64_t next = from + count;
    if (chance(5)) count = random_() % (count + 1);
    if (chance(60)) bring(to, {change.at + from, change.bytes.substr(from, count), false});
    from = next;
  }
  // The new size of the file may be there and its bytes not.
  const std::uint64_t end = change.at + change.bytes.size();
  if (end > to.size() && chance(20)) to.resize(end);
}

// What becomes of the changes that were not synced: all, none, the first of them, or any of them.
void SimDisk::settle(SimFile& file) {
  const std::uint64_t way = random_() % 4;
  std::size_t whole = 0;
  if (way == 1) whole = file.pending.size();
  if (way == 2 && !file.pending.empty()) whole = random_() % (file.pending.size() + 1);
  for (std::size_t i = 0; i < whole; ++i) bring(file.durable, file.pending[i]);
  if (way == 2 && whole < file.pending.size()) apply_torn(file.durable, file.pending[whole]);
  if (way == 3) {
    for (const auto& change : file.pending) {
      if (chance(50)) apply_torn(file.durable, change);
    }
  }
  file.pending.clear();
  file.seen = file.durable;
}

void SimDisk::power_loss() {
  for (auto& [path, file] : deleted_) {
    if (chance(50)) files_.emplace(path, file);
  }
  deleted_.clear();
  for (auto at = files_.begin(); at != files_.end();) {
    SimFile& file = *at->second;
    const bool made = file.entry_durable || chance(50);
    settle(file);
    file.entry_durable = true;
    at = made ? std::next(at) : files_.erase(at);
  }
  process_crash();
}

void SimDisk::process_crash() {
  for (auto& [path, file] : files_) {
    file->shared.clear();
    file->shared_users = file->users = 0;
    file->exclusive = false;
    std::fill(std::begin(file->locks), std::end(file->locks), 0);
  }
  off_ = false;
  cut_at_ = fail_at_ = 0;
}

std::string* SimDisk::bytes(const std::string& path) {
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : &found->second->seen;
}

std::vector<std::string> SimDisk::names() const {
  std::vector<std::string> names;
  for (const auto& [path, file] : files_) names.push_back(path);
  return names;
}

std::uint64_t SimDisk::digest() const {
  std::uint64_t digest = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const auto& [path, file] : files_) {
    for (const char byte : file->seen) {
      digest = (digest ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
    }
  }
  return digest;
}

std::uint64_t SimDisk::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, file] : files_) bytes += file->seen.size();
  return bytes;
}

storage::Expected<std::shared_ptr<void>> SimDisk::lock(const std::string& /*path*/) {
  if (off_) return power_is_off();
  return std::shared_ptr<void>();
}

std::string SimDisk::head(const std::string& path, std::size_t bytes) {
  const auto found = files_.find(path);
  return found == files_.end() ? std::string() : found->second->seen.substr(0, bytes);
}

std::optional<std::uint64_t> SimDisk::size(const std::string& path) {
  const auto found = files_.find(path);
  if (found == files_.end()) return std::nullopt;
  return found->second->seen.size();
}

storage::Expected<void> SimDisk::sync_folder_of(const std::string& /*path*/) {
  if (next_operation(Operation::sync)) return power_is_off();
  for (auto& [path, file] : files_) file->entry_durable = true;
  deleted_.clear();
  return {};
}

storage::Expected<void> SimDisk::write_again(const std::string& path) {
  const auto found = files_.find(path);
  if (found == files_.end()) return {};
  SimFile& file = *found->second;
  for (std::uint64_t at = 0; at < file.seen.size(); at += again_bytes) {
    if (write(file, file.seen.substr(at, again_bytes), at) != SQLITE_OK) return power_is_off();
  }
  if (sync(file, false) != SQLITE_OK) return power_is_off();
  return {};
}

storage::Expected<std::uint64_t> SimDisk::free_bytes(const std::string& /*path*/) {
  const std::uint64_t bytes = used();
  return bytes >= capacity_ ? 0 : capacity_ - bytes;
}

}  // namespace millrace::testing
