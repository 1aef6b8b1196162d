#include "reload.h"

#include <algorithm>

namespace millrace {

std::vector<std::string> needs_restart(const Config& running, const Config& read) {
  std::vector<std::string> keys;
  const auto compare = [&](const char* key, const auto& before, const auto& after) {
    if (before != after) keys.emplace_back(key);
  };
  compare("broker.data_dir", running.data_dir, read.data_dir);
  compare("broker.backup_dir", running.backup_dir, read.backup_dir);
  compare("broker.listen", running.listen, read.listen);
  compare("broker.advertise", running.advertise, read.advertise);
  compare("broker.audit", running.audit, read.audit);
  compare("access.keys_dir", running.keys_dir, read.keys_dir);
  compare("access.broker_key_file", running.broker_key_file, read.broker_key_file);
  compare("access.ipc_keys", running.ipc_keys, read.ipc_keys);
  compare("broker.shards", running.shards, read.shards);
  compare("broker.allow_new_topics", running.allow_new_topics, read.allow_new_topics);
  compare("broker.lease_ms", running.lease_ms, read.lease_ms);
  compare("broker.heartbeat_ms", running.heartbeat_ms, read.heartbeat_ms);
  compare("broker.reconnect_ms", running.reconnect_ms, read.reconnect_ms);
  compare("broker.grace_ms_max", running.grace_ms_max, read.grace_ms_max);
  compare("broker.disk_free_bytes_min", running.disk_free_bytes_min, read.disk_free_bytes_min);
  compare("log.format", running.log_format, read.log_format);
  compare("http.tokens", running.http_tokens, read.http_tokens);
  compare("http.listen", running.http_listen, read.http_listen);
  compare("http.tls_cert_file", running.http_tls_cert_file, read.http_tls_cert_file);
  compare("http.tls_key_file", running.http_tls_key_file, read.http_tls_key_file);
  compare("http.trusted_proxies", running.http_trusted_proxies, read.http_trusted_proxies);
  return keys;
}

std::vector<std::string> topics_left_out(const Config& running, const Config& read) {
  std::vector<std::string> names;
  for (const core::Topic& topic : running.topics) {
    const bool named = std::any_of(read.topics.begin(), read.topics.end(),
                                   [&](const core::Topic& t) { return t.name == topic.name; });
    if (!named) names.push_back(topic.name);
  }
  return names;
}

}  // namespace millrace
