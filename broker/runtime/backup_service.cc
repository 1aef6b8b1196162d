#include "runtime/backup_service.h"

#include "runtime/views.h"
#include "wire/codec.h"

namespace millrace::runtime {
namespace {

std::string_view to_string(BackupState state) {
  switch (state) {
    case BackupState::none: return "none";
    case BackupState::running: return "running";
    case BackupState::done: return "done";
    case BackupState::failed: return "failed";
  }
  return "none";
}

std::string view_of(const BackupReport& report) {
  wire::BackupView view;
  view.state = to_string(report.state);
  view.name = report.asked.name;
  view.code = report.code;
  view.error = report.error;
  view.shard = report.shard;
  view.shards = report.shards;
  view.copied_bytes = report.copied_bytes;
  view.total_bytes = report.total_bytes;
  view.started_ms = unsigned_ms(report.started_ms);
  view.took_ms = unsigned_ms(report.took_ms);
  view.removed = report.removed;
  view.last_name = report.last.name;
  view.last_ms = unsigned_ms(report.last.made_ms);
  view.last_took_ms = unsigned_ms(report.last.took_ms);
  view.last_bytes = report.last.bytes;
  return wire::encode(view);
}

}  // namespace

net::Answer answer_backup(const net::Parsed& asked, BackupService* desk) {
  if (desk == nullptr) {
    return net::refusal("conflict",
                        "no backup folder is configured: set backup_dir in [broker] of the "
                        "settings file and restart the broker");
  }
  if (asked.backup) {
    const auto& body = *asked.backup;
    const auto refused = desk->start({std::string(body.name), static_cast<std::size_t>(body.keep),
                                      body.request.value_or(wire::Id{})});
    if (!refused.code.empty()) return net::refusal(refused.code, refused.message);
  }
  return {wire::Verb::ok, view_of(desk->report())};
}

}  // namespace millrace::runtime
