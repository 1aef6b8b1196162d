#include "runtime/backup_thread.h"

#include "runtime/clock.h"

#include <spdlog/spdlog.h>
#include <utility>

namespace millrace::runtime {
namespace {

// The error code as the protocol spells it.
std::string code_of(storage::FailureKind kind) {
  switch (kind) {
    case storage::FailureKind::busy: return "conflict";
    case storage::FailureKind::not_ours: return "invalid";
    case storage::FailureKind::no_space: return "disk_full";
    default: return "io";
  }
}

void log_end(const BackupReport& report) {
  if (report.state == BackupState::failed) {
    return spdlog::error("backup {} failed: {}", report.asked.name, report.error);
  }
  spdlog::info("backup {} is finished: {} shards, {} bytes, {} ms", report.asked.name,
               report.shards, report.last.bytes, report.took_ms);
}

LastBackup last_of(const storage::Manifest& manifest) {
  return {manifest.name, manifest.made_ms, manifest.took_ms, manifest.bytes()};
}

}  // namespace

BackupThread::BackupThread(storage::BackupPlan plan, std::function<void(const BackupReport&)> ended)
    : plan_(std::move(plan)), ended_(std::move(ended)), thread_([this] { look(); }) {}

BackupThread::~BackupThread() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

BackupRefused BackupThread::start(BackupAsk ask) {
  if (!storage::valid_backup_name(ask.name)) {
    return {"invalid",
            "a backup name must consist of 1 to 64 characters of A-Z a-z 0-9 . _ - and begin with "
            "a letter or digit"};
  }
  if (ask.keep > 0 && storage::series_of(ask.name).empty()) {
    return {"invalid",
            "keep counts the backups of a series, and this name belongs to none: use a name of the "
            "form SERIES-TIME, such as nightly-20260131"};
  }
  const std::lock_guard lock(mutex_);
  const bool resent = ask.request != core::Id16{} && ask.request == report_.asked.request;
  if (resent) return {};
  if (busy_) {
    return {"conflict", report_.state == BackupState::running
                            ? "the backup " + report_.asked.name +
                                  " is still running: wait until it is finished"
                            : "the broker is still reading its backup folder: try again"};
  }
  // The thread has finished its work and is about to return.
  if (thread_.joinable()) thread_.join();
  busy_ = true;
  BackupReport begun;
  begun.state = BackupState::running;
  begun.asked = ask;
  begun.shards = plan_.shards.size();
  begun.started_ms = read_clocks().wall_ms;
  begun.last = report_.last;
  report_ = std::move(begun);
  thread_ = std::thread([this, ask = std::move(ask)] { make(ask); });
  return {};
}

BackupReport BackupThread::report() const {
  const std::lock_guard lock(mutex_);
  BackupReport report = report_;
  if (report.state == BackupState::running) {
    report.took_ms = read_clocks().wall_ms - report.started_ms;
  }
  return report;
}

void BackupThread::look() {
  BackupReport found;
  if (const auto newest = storage::newest_backup(plan_.folder)) found.last = last_of(*newest);
  end(std::move(found));
}

void BackupThread::at(const storage::BackupProgress& progress) {
  const std::lock_guard lock(mutex_);
  report_.shard = progress.shard;
  report_.copied_bytes = progress.copied_bytes;
  report_.total_bytes = progress.total_bytes;
}

void BackupThread::make(const BackupAsk& ask) {
  spdlog::info("backup {} is started: {} shards into {}", ask.name, plan_.shards.size(),
               plan_.folder);
  storage::Expected<storage::Manifest> made;
  if (auto may = storage::may_begin(plan_, ask.name); !may) {
    made = tl::unexpected(may.error());
  } else {
    made =
        storage::make_backup(plan_, ask.name,
                             {[this] { return stop_.load(); },
                              [this](const storage::BackupProgress& progress) { at(progress); }});
  }
  BackupReport ended = report();
  if (!made) {
    ended.state = BackupState::failed;
    ended.code = code_of(made.error().kind);
    ended.error = made.error().message;
    return end(std::move(ended));
  }
  ended.state = BackupState::done;
  ended.last = last_of(*made);
  ended.copied_bytes = ended.total_bytes = ended.last.bytes;
  if (ask.keep > 0) {
    const auto series = storage::series_of(ask.name);
    const auto removed = storage::remove_old(plan_.folder, series, ask.keep);
    if (removed) ended.removed = removed->size();
    if (!removed) spdlog::error("old backups could not be deleted: {}", removed.error().message);
    for (const auto& name : removed.value_or(std::vector<std::string>())) {
      spdlog::info("old backup {} was deleted: {} backups of the series {} are kept", name,
                   ask.keep, series);
    }
  }
  end(std::move(ended));
}

void BackupThread::end(BackupReport ended) {
  if (ended.state != BackupState::none) log_end(ended);
  ended_(ended);
  const std::lock_guard lock(mutex_);
  report_ = std::move(ended);
  busy_ = false;
}

}  // namespace millrace::runtime
