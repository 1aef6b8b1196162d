#include "broker_keys.h"

#include "access/broker_key.h"
#include "access/key_file.h"
#include "wire/secret_file.h"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <algorithm>
#include <utility>

namespace millrace {
namespace {

using access::KeyTable;

void tell_errors(const KeyTable& now, const KeyTable& before) {
  for (const auto& error : now.errors) {
    const bool known =
        std::find(before.errors.begin(), before.errors.end(), error) != before.errors.end();
    if (!known) spdlog::error("{}", error);
  }
}

struct Change {
  const char* verb;
  std::string name;
};

std::vector<Change> changes_of(const KeyTable& now, const KeyTable& before) {
  std::vector<Change> changes;
  for (const auto& [name, key] : before.by_name) {
    if (now.by_name.count(name) == 0) changes.push_back({"key_removed", name});
  }
  for (const auto& [name, key] : now.by_name) {
    const auto found = before.by_name.find(name);
    if (found == before.by_name.end()) {
      changes.push_back({"key_added", name});
    } else if (access::write_key(*key) != access::write_key(*found->second)) {
      const bool revoked = key->revoked_ms != 0 && found->second->revoked_ms == 0;
      changes.push_back({revoked ? "key_revoked" : "key_changed", name});
    }
  }
  return changes;
}

// Who changed a file is not known: its folder says who could.
void tell_changes(const KeyTable& now, const KeyTable& before, const std::string& folder,
                  audit::AuditLog* log) {
  tell_errors(now, before);
  const auto changes = changes_of(now, before);
  for (const auto& change : changes) spdlog::info("{}: {}", change.verb, change.name);
  spdlog::info("{} keys are known", now.by_name.size());
  if (log == nullptr || changes.empty()) return;
  for (const auto& change : changes) {
    const auto added = log->append({{.who = "files of " + folder,
                                     .from = "this machine",
                                     .verb = change.verb,
                                     .on = change.name}});
    if (!added) spdlog::error("the audit log cannot be written: {}", added.error().message);
  }
  if (const auto synced = log->sync(); !synced) {
    spdlog::error("the audit log cannot be written: {}", synced.error().message);
  }
}

}  // namespace

BrokerKeys::BrokerKeys(const Config& config, access::KeyPair broker, audit::AuditLog* log)
    : ring_(wire::credential_path(config.keys_dir),
            // The keys that a start finds are not news; a mistake in them is.
            [folder = config.keys_dir, log, first = true](const KeyTable& now,
                                                          const KeyTable& before) mutable {
              if (!std::exchange(first, false)) return tell_changes(now, before, folder, log);
              tell_errors(now, before);
              spdlog::info("{} keys are known", now.by_name.size());
            }),
      check_(ring_),
      server_{std::move(broker), &check_, config.ipc_keys} {}

Result<std::unique_ptr<BrokerKeys>> open_keys(const Config& config, audit::AuditLog* log) {
  if (config.keys_dir.empty()) return nullptr;
  // The secret key stays in memory, in places of libzmq too: it must not come to a core file, nor
  // may other processes of this user read it.
  ::prctl(PR_SET_DUMPABLE, 0);
  auto broker = access::read_broker_key(wire::credential_path(config.broker_key_file));
  if (!broker) return tl::unexpected(broker.error());
  return std::make_unique<BrokerKeys>(config, std::move(*broker), log);
}

std::vector<std::string> wrong_with_keys(const Config& config) {
  if (config.keys_dir.empty()) return {};
  std::vector<std::string> wrong;
  const auto broker = access::read_broker_key(wire::credential_path(config.broker_key_file));
  if (!broker) wrong.push_back(broker.error().message);
  const auto table = access::read_keys(wire::credential_path(config.keys_dir));
  wrong.insert(wrong.end(), table.errors.begin(), table.errors.end());
  return wrong;
}

}  // namespace millrace
