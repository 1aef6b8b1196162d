// A disk in memory under SQLite, that can fail as disks do. It knows which writes were synced, and
// at a power loss keeps, loses, tears or reorders the rest; it can cut the power after so many
// operations, fail one of them, or be full.
//
// How a test uses it: open the store with {.files = &disk}; work; cut the power (or end the
// process); destroy the store; power_loss() or process_crash(); open again. While the power is off
// every operation fails, and nothing that the dying process does reaches the disk.
// Model: a write that was not synced survives by sectors of 512 bytes, each alone; a tear inside a
// sector leaves new bytes and old ones (no byte outside the written range changes); a file may have
// grown without its bytes, which read as zeros. A file that was made or deleted is so for certain
// once its folder was synced, which SQLite's own sync of a log or journal includes.
// Threads: a disk and all that is opened on it belong to one thread; disks do not share anything.
#pragma once

#include "storage/files.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::testing {

// A fault waits for the first operation that it can strike.
enum class DiskFault : std::uint8_t {
  io_error,     // a write or a sync is refused, nothing happens
  no_space,     // a write is refused for want of space
  short_write,  // a part of the write reaches the file, then it is refused
  lost_sync,    // a sync is refused; the pages count as clean from then on and may be lost
};

// A file's bytes as the process sees them, as the disk holds them, and what lies between.
struct SimFile {
  struct Change {
    std::uint64_t at = 0;  // of a write; the new size of a truncation
    std::string bytes{};
    bool truncates = false;
  };
  std::string seen, durable;
  std::vector<Change> pending;
  bool entry_durable = false;  // the folder's entry is on disk
  // Shared memory of the log's index, and its locks: gone with the process.
  std::vector<std::unique_ptr<char[]>> shared;
  std::uint32_t shared_users = 0;
  int locks[8] = {};  // -1: exclusive; else the number of holders
  // The lock on the file itself.
  std::uint32_t users = 0;
  bool exclusive = false;
};

class SimDisk : public storage::Files {
 public:
  enum class Operation : std::uint8_t { write, sync, entry };  // entry: truncation, deletion

  SimDisk(const std::string& name, std::uint64_t seed);
  ~SimDisk() override;

  // Every file of another disk, as it is there and safely on this one. Nothing may be open here.
  void copy_files(const SimDisk& from);

  // Every write, truncation, deletion and sync counts as one operation.
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  void cut_power_in(std::uint64_t operations) { cut_at_ = operations_ + operations; }
  void cut_power() { off_ = true; }
  [[nodiscard]] bool off() const { return off_; }
  void fail_in(std::uint64_t operations, DiskFault fault);
  // The fault of the last fail_in() has struck.
  [[nodiscard]] bool failed() const { return fault_done_; }
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }

  // What was not synced is judged by chance. Nothing may be open any more.
  void power_loss();
  // Nothing is lost: the system lives, the process died. Nothing may be open any more.
  void process_crash();

  // The bytes of a file as they are now, to look at and to damage.
  [[nodiscard]] std::string* bytes(const std::string& path);
  [[nodiscard]] std::vector<std::string> names() const;
  // Every file's bytes one after the other: two equal runs leave equal disks.
  [[nodiscard]] std::uint64_t digest() const;

  // Files
  [[nodiscard]] const char* vfs() const override { return name_.c_str(); }
  [[nodiscard]] storage::Expected<std::shared_ptr<void>> lock(const std::string& path) override;
  [[nodiscard]] std::string head(const std::string& path, std::size_t bytes) override;
  [[nodiscard]] std::optional<std::uint64_t> size(const std::string& path) override;
  [[nodiscard]] storage::Expected<void> sync_folder_of(const std::string& path) override;
  [[nodiscard]] storage::Expected<void> write_again(const std::string& path) override;
  [[nodiscard]] storage::Expected<std::uint64_t> free_bytes(const std::string& path) override;

  // For the VFS alone (sim_vfs.cc). Codes are SQLite's.
  [[nodiscard]] std::shared_ptr<SimFile> open(const std::string& path, bool create);
  [[nodiscard]] int write(SimFile& file, std::string_view bytes, std::uint64_t at);
  [[nodiscard]] int truncate(SimFile& file, std::uint64_t size);
  [[nodiscard]] int sync(SimFile& file, bool with_entry);
  [[nodiscard]] int remove(const std::string& path, bool sync_folder);
  [[nodiscard]] std::uint64_t random() { return random_(); }

 private:
  [[nodiscard]] std::optional<DiskFault> next_operation(Operation operation);  // a fault, if due
  void settle(SimFile& file);
  void apply_torn(std::string& to, const SimFile::Change& change);
  [[nodiscard]] bool chance(unsigned percent) { return random_() % 100 < percent; }
  [[nodiscard]] std::uint64_t used() const;

  std::string name_;
  std::mt19937_64 random_;
  std::map<std::string, std::shared_ptr<SimFile>> files_;
  std::map<std::string, std::shared_ptr<SimFile>> deleted_;  // entries that may come back
  std::uint64_t operations_ = 0;
  std::uint64_t cut_at_ = 0;  // 0: never
  std::uint64_t fail_at_ = 0;
  DiskFault fault_ = DiskFault::io_error;
  bool fault_done_ = false;
  bool off_ = false;
  std::uint64_t capacity_ = UINT64_MAX;
  struct Vfs;
  std::unique_ptr<Vfs> registered_;
};

}  // namespace millrace::testing
