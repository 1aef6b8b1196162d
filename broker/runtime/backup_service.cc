#include "runtime/backup_service.h"

#include "net/job_messages.h"
#include "wire/codec.h"

#include <optional>

namespace millrace::runtime {
namespace {

std::string view_of(const BackupReport& report) {
  wire::BackupView view;
  view.state = wire::backup_state_name(report.state);
  view.name = report.asked.name;
  view.code = report.code;
  view.error = report.error;
  view.shard = report.shard;
  view.shards = report.shards;
  view.copied_bytes = report.copied_bytes;
  view.total_bytes = report.total_bytes;
  view.started_ms = net::unsigned_ms(report.started_ms);
  view.took_ms = net::unsigned_ms(report.took_ms);
  view.removed = report.removed;
  view.last_name = report.last.name;
  view.last_ms = net::unsigned_ms(report.last.made_ms);
  view.last_took_ms = net::unsigned_ms(report.last.took_ms);
  view.last_bytes = report.last.bytes;
  return wire::encode(view);
}

}  // namespace

net::Answer answer_backup(wire::Verb verb, std::string_view body, BackupService* backups) {
  std::optional<wire::Backup> wanted;
  if (verb == wire::Verb::backup) {
    const auto read = wire::decode<wire::Backup>(body);
    if (!read) return net::refusal(to_string(read.error().code), read.error().message);
    wanted = *read;
  }
  if (backups == nullptr) {
    return net::refusal("conflict",
                        "no backup folder is configured: set backup_dir in [broker] of the "
                        "settings file and restart the broker");
  }
  if (wanted) {
    const auto refused =
        backups->start({std::string(wanted->name), static_cast<std::size_t>(wanted->keep),
                        wanted->request.value_or(wire::Id{})});
    if (!refused.code.empty()) return net::refusal(refused.code, refused.message);
  }
  return {wire::Verb::ok, view_of(backups->report())};
}

}  // namespace millrace::runtime
