// The settings file, validated. Nothing else reads settings.
#pragma once

#include "core/job.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace {

struct Config {
  std::string data_dir;
  std::string backup_dir;  // empty: BACKUP is refused
  std::vector<std::string> listen{"ipc:///run/millrace/millrace.sock"};
  std::uint32_t shards = 1;
  bool allow_new_topics = true;
  std::int64_t lease_ms = core::lease_ms_default;
  std::int64_t heartbeat_ms = core::heartbeat_ms_default;
  std::int64_t reconnect_ms = core::reconnect_ms_default;
  std::int64_t grace_ms_max = core::grace_ms_max;
  std::uint64_t disk_free_bytes_min = 64U << 20;
  std::vector<core::Topic> topics;
  std::vector<std::string> advertise;     // tcp://HOST:PORT for clients with a key; empty: listen
  std::string keys_dir, broker_key_file;  // both or neither; empty: no keys are used
  bool audit = true;                      // acts are recorded in data_dir/audit
  bool ipc_keys = false;                  // ipc:// addresses need a key too
  std::string http_listen;                // 127.0.0.1:PORT or [::1]:PORT; empty: no HTTP
  std::string http_tls_cert_file, http_tls_key_file;  // both, or neither: HTTP without TLS
  bool http_tokens = false;                           // metrics need a token
  std::vector<std::string> http_trusted_proxies;      // addresses and networks, valid ones
  std::string log_level = "info";
  std::string log_format = "auto";
};

// errors: every mistake with its place, file:line:column. If there is none, the config is complete.
struct ReadConfig {
  Config config;
  std::vector<std::string> errors;
};
[[nodiscard]] ReadConfig read_config(const std::string& path);

// The address that one shard listens on: the first shard's as configured, the others' with a number
// appended.
[[nodiscard]] std::string shard_address(const std::string& address, std::uint32_t shard);

// What clients with a key connect to: advertise, or else the tcp:// addresses of listen.
[[nodiscard]] std::vector<std::string> advertised_addresses(const Config& config,
                                                            std::uint32_t shard);

}  // namespace millrace
