#include "broker_keys.h"

#include "access/broker_key.h"
#include "wire/secret_file.h"

#include <spdlog/spdlog.h>
#include <algorithm>
#include <utility>

namespace millrace {
namespace {

using access::KeyTable;

// What somebody who was surprised would want to find in the log.
void tell_changes(const KeyTable& now, const KeyTable& before) {
  for (const auto& error : now.errors) {
    const bool known =
        std::find(before.errors.begin(), before.errors.end(), error) != before.errors.end();
    if (!known) spdlog::error("{}", error);
  }
  for (const auto& [name, key] : before.by_name) {
    if (now.by_name.count(name) == 0) spdlog::info("the key {} does not count any more", name);
  }
  for (const auto& [name, key] : now.by_name) {
    const auto found = before.by_name.find(name);
    if (found == before.by_name.end()) continue;
    if (key->revoked_ms != 0 && found->second->revoked_ms == 0) {
      spdlog::info("the key {} was revoked", name);
    }
  }
  spdlog::info("{} keys are known", now.by_name.size());
}

}  // namespace

BrokerKeys::BrokerKeys(const Config& config, access::KeyPair broker)
    : ring_(wire::credential_path(config.keys_dir), tell_changes),
      check_(ring_),
      server_{std::move(broker), &check_, config.ipc_keys} {}

Result<std::unique_ptr<BrokerKeys>> open_keys(const Config& config) {
  if (config.keys_dir.empty()) return nullptr;
  auto broker = access::read_broker_key(wire::credential_path(config.broker_key_file));
  if (!broker) return tl::unexpected(broker.error());
  return std::make_unique<BrokerKeys>(config, std::move(*broker));
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
