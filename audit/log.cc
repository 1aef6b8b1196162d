#include "audit/log.h"

#include "audit/recovery.h"
#include "audit/writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>

namespace millrace::audit {
namespace {

Expected<File> lock(const std::string& folder) {
  const std::string path = in_folder(folder, "lock");
  auto file = open_file(path, O_RDWR | O_CREAT);
  if (!file) return file;
  if (::flock(file->get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) return tl::unexpected(system_failure("cannot lock", path, errno));
  return tl::unexpected(Failure{FailureKind::in_use, "the audit log is in use by another broker: " +
                                                         folder + ": stop the other broker"});
}

Expected<void> make_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) {
    const std::string parent = std::filesystem::path(folder).parent_path();
    return sync_folder(parent.empty() ? "." : parent);
  }
  if (errno == EEXIST) return {};
  return tl::unexpected(system_failure("cannot make the folder", folder, errno));
}

WallTime system_time() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace

class AuditLog::Impl {
 public:
  Impl(LogOptions options, const Tip& tip, File lock)
      : options_(std::move(options)),
        lock_(std::move(lock)),
        end_(tip),
        writer_(options_.folder, tip),
        synced_{tip.seq, tip.hash} {}

  Expected<void> begin(const std::vector<Entry>& remarks) {
    if (auto done = writer_.open(); !done) return done;
    const bool news = end_.bytes == 0 || !remarks.empty();
    if (end_.bytes == 0) first_line();
    for (const Entry& entry : remarks) add(entry);
    if (auto done = news ? sync() : write_only_head(); !done) return done;
    return writer_.sync_head();
  }

  Expected<std::uint64_t> append(std::span<const Entry> entries) {
    const std::lock_guard guard(mutex_);
    if (stopped_) return tl::unexpected(*stopped_);
    // With a line that begins a file for each, which is more than can be.
    if (waiting_bytes_ + 2 * entries.size() * line_bytes_max > options_.waiting_bytes_max) {
      return tl::unexpected(Failure{
          FailureKind::overloaded,
          std::to_string(waiting_bytes_) + " bytes of the audit log wait for the disk, and " +
              std::to_string(entries.size()) + " more lines may be above the bound of " +
              std::to_string(options_.waiting_bytes_max) + ": sync first"});
    }
    for (const Entry& entry : entries) add(entry);
    return end_.seq;
  }

  Expected<void> sync() {
    std::unique_lock guard(mutex_);
    const std::uint64_t wanted = end_.seq;
    while (synced_.seq < wanted) {
      if (stopped_) return tl::unexpected(*stopped_);
      if (writing_) {
        written_.wait(guard, [this] { return !writing_; });
      } else if (auto done = write_waiting(guard); !done) {
        return done;
      }
    }
    return {};
  }

  Synced synced() const {
    const std::lock_guard guard(mutex_);
    return synced_;
  }

 private:
  // The others go on appending meanwhile, and wait for their lines to be of a later turn.
  Expected<void> write_waiting(std::unique_lock<std::mutex>& guard) {
    std::deque<Batch> batches = std::exchange(waiting_, {});
    writing_ = true;
    guard.unlock();
    auto done = writer_.write(&batches);
    guard.lock();
    writing_ = false;
    waiting_.insert(waiting_.begin(), std::make_move_iterator(batches.begin()),
                    std::make_move_iterator(batches.end()));
    count_waiting();
    if (done) synced_ = {writer_.at().seq, writer_.at().hash};
    stopped_ = writer_.lost();
    written_.notify_all();
    return done;
  }

  Expected<void> write_only_head() {
    std::deque<Batch> none;
    return writer_.write(&none);
  }

  void count_waiting() {
    waiting_bytes_ = 0;
    for (const Batch& batch : waiting_) waiting_bytes_ += batch.text.size();
  }

  void add(const Entry& entry) {
    if (!add_to_file(entry, options_.file_bytes_max)) {
      end_.file += 1;
      end_.bytes = 0;
      first_line();
      add_to_file(entry, ~0ULL);
    }
  }

  // In each file, so that none can be left out or exchanged unseen.
  void first_line() {
    Entry entry{.who = std::string(own_name), .from = {}, .verb = std::string(verb_created)};
    if (end_.seq > 0) {
      entry.verb = verb_continued;
      entry.on = name_of(end_.file - 1);
    }
    add_to_file(entry, ~0ULL);
  }

  bool add_to_file(const Entry& entry, std::uint64_t bytes_max) {
    Line line{.seq = end_.seq + 1,
              .time = options_.now ? options_.now() : system_time(),
              .entry = entry,
              .prev = end_.hash};
    const std::string text = encode(line) + '\n';
    if (end_.bytes + text.size() > bytes_max) return false;
    if (waiting_.empty() || waiting_.back().file != end_.file) {
      waiting_.push_back({.file = end_.file});
    }
    Batch& batch = waiting_.back();
    batch.text += text;
    batch.seq = line.seq;
    batch.hash = line.hash;
    waiting_bytes_ += text.size();
    end_.seq = line.seq;
    end_.hash = line.hash;
    end_.bytes += text.size();
    return true;
  }

  const LogOptions options_;
  const File lock_;
  mutable std::mutex mutex_;
  std::condition_variable written_;
  Tip end_;                    // behind the last line that was appended
  std::deque<Batch> waiting_;  // not on disk yet, in order
  std::size_t waiting_bytes_ = 0;
  bool writing_ = false;  // the thread that set it uses writer_
  Writer writer_;
  Synced synced_;
  std::optional<Failure> stopped_;
};

AuditLog::AuditLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AuditLog::~AuditLog() = default;

Expected<std::unique_ptr<AuditLog>> AuditLog::open(LogOptions options) {
  const std::string folder = options.folder;
  if (auto done = make_folder(folder); !done) return tl::unexpected(done.error());
  auto file = lock(folder);
  if (!file) return tl::unexpected(file.error());
  auto recovered = recover(folder);
  if (!recovered) return tl::unexpected(recovered.error());
  auto impl = std::make_unique<Impl>(std::move(options), recovered->tip, std::move(*file));
  if (auto done = impl->begin(recovered->remarks); !done) return tl::unexpected(done.error());
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(impl)));
}

Expected<std::uint64_t> AuditLog::append(std::span<const Entry> entries) {
  return impl_->append(entries);
}

Expected<void> AuditLog::sync() { return impl_->sync(); }

AuditLog::Synced AuditLog::synced() const { return impl_->synced(); }

}  // namespace millrace::audit
