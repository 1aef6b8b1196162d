// millraced: builds the parts and runs them. A shard is a thread with a loop, a socket, an engine
// and a store of its own; the main thread waits for signals.
#include "admin/http_port.h"
#include "audit/log.h"
#include "broker_keys.h"
#include "config.h"
#include "data_folder.h"
#include "descriptors.h"
#include "file_permissions.h"
#include "full_disk.h"
#include "log.h"
#include "net/connection_limiter.h"
#include "net/endpoint.h"
#include "offline.h"
#include "reload.h"
#include "runtime/backup_thread.h"
#include "runtime/clock.h"
#include "runtime/log_hook.h"
#include "runtime/shard_server.h"
#include "storage/sqlite_store.h"
#include "versions.h"

#include <fmt/ranges.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr std::uint64_t look_us_max = 10'000'000;  // between two checks of the shards
constexpr int exit_usage = 64, exit_store = 74, exit_config = 78;

constexpr const char* usage = R"(usage: millraced --config FILE [--check-config]
       millraced --verify PATH [--json]
       millraced --restore BACKUP --data-dir DIR [--replace] [--json]
  --config FILE     run the broker with this settings file
  --check-config    only check the settings and the folders that they name
  --verify PATH     check a backup, a data folder or the file of a shard for damage
  --restore BACKUP  restore a backup into the folder of --data-dir, which no broker may use
  --replace         move the broker's files in that folder aside first
  --json            print the result of --verify or --restore as JSON
  --help, --version print this help, or the version
Exit codes: 0 clean stop, 64 usage error, 74 I/O error of the store or a socket,
78 invalid settings, or a library that is too old
Of --verify and --restore: 0 success, 1 damage found, 2 nothing of Millrace at that path, 3 the data
folder is in use or not empty, 64 usage error, 74 I/O error
)";

millrace::runtime::ShardOptions options_of(const millrace::Config& config, std::uint32_t shard) {
  millrace::runtime::ShardOptions options;
  options.engine.shard = shard;
  options.engine.map = millrace::core::ShardMap(config.shards);
  options.engine.allow_new_topics = config.allow_new_topics;
  options.engine.lease_ms = config.lease_ms;
  options.engine.grace_ms = config.grace_ms_max;
  options.heartbeat_ms = config.heartbeat_ms;
  options.reconnect_ms = config.reconnect_ms;
  options.disk_free_bytes_min = config.disk_free_bytes_min;
  options.topics = config.topics;
  options.version = MILLRACE_VERSION;
  for (std::uint32_t s = 0; s < config.shards; ++s) {
    auto& endpoints = options.topology.emplace_back();
    for (const auto& address : config.listen) {
      endpoints.push_back(millrace::shard_address(address, s));
    }
    if (config.keys_dir.empty()) continue;
    options.advertised.push_back(millrace::advertised_addresses(config, s));
  }
  return options;
}

// The observers of the shards; they outlive them.
struct Watchers {
  millrace::admin::ShardSnapshots snapshots;
  millrace::admin::Metrics metrics;
  bool http = false;
};

void add_hooks(millrace::runtime::ShardOptions& options, Watchers& watchers) {
  const std::size_t shard = options.engine.shard;
  options.hooks.push_back(std::make_unique<millrace::runtime::LogHook>());
  options.hooks.push_back(
      std::make_unique<millrace::admin::SnapshotHook>(watchers.snapshots, shard, watchers.http));
  if (!watchers.http) return;
  options.hooks.push_back(std::make_unique<millrace::admin::MetricsHook>(watchers.metrics, shard));
}

using Shards = std::vector<std::unique_ptr<millrace::runtime::ShardServer>>;

std::string shard_path(const millrace::Config& config, std::uint32_t shard) {
  return config.data_dir + "/" + millrace::storage::shard_file(shard);
}

// Null where the settings name no folder for backups.
std::unique_ptr<millrace::runtime::BackupThread> backup_service(const millrace::Config& config,
                                                                Watchers& watchers) {
  if (config.backup_dir.empty()) return nullptr;
  millrace::storage::BackupPlan plan{.folder = config.backup_dir,
                                     .version = MILLRACE_VERSION,
                                     .disk_free_bytes_min = config.disk_free_bytes_min};
  for (std::uint32_t s = 0; s < config.shards; ++s) {
    plan.shards.push_back({.path = shard_path(config, s)});
  }
  return std::make_unique<millrace::runtime::BackupThread>(
      std::move(plan),
      [&metrics = watchers.metrics](const millrace::runtime::BackupReport& report) {
        metrics.on_backup(report);
      });
}

// What all shards use.
struct Shared {
  millrace::runtime::BackupService* backups = nullptr;
  const millrace::BrokerKeys* keys = nullptr;  // null: no keys are used
  millrace::audit::AuditLog* audit = nullptr;  // null: acts are not recorded
};

// Empty on success, else an error sentence.
std::string start_shard(const millrace::Config& config, std::uint32_t shard, Watchers& watchers,
                        const Shared& shared, Shards& shards) {
  auto store = millrace::storage::open_sqlite({.path = shard_path(config, shard)});
  if (!store) return store.error().message;
  auto options = options_of(config, shard);
  options.backups = shared.backups;
  options.audit = shared.audit;
  if (shared.keys != nullptr) options.keys = &shared.keys->ring();
  add_hooks(options, watchers);
  shards.push_back(std::make_unique<millrace::runtime::ShardServer>(
      std::move(options), std::move(*store),
      shared.keys == nullptr ? nullptr : &shared.keys->server()));
  return shards.back()->start();
}

void reload(const std::string& path, millrace::Config& running, const Shards& shards) {
  auto read = millrace::read_config(path);
  if (!read.errors.empty()) {
    for (const auto& error : read.errors) spdlog::error("{}", error);
    return spdlog::error("{} was not applied: the broker keeps its current configuration", path);
  }
  if (const auto names = millrace::topics_left_out(running, read.config); !names.empty()) {
    spdlog::warn("topics that are missing from the file keep their settings: {}",
                 fmt::join(names, ", "));
  }
  millrace::set_log_level(read.config.log_level);
  for (const auto& shard : shards) shard->open_topics(read.config.topics);
  if (const auto keys = millrace::needs_restart(running, read.config); !keys.empty()) {
    spdlog::warn("changes that need a restart: {}", fmt::join(keys, ", "));
  }
  running.log_level = read.config.log_level;
  running.topics = std::move(read.config.topics);
  spdlog::info("{} was reloaded: {} topics, log level {}", path, running.topics.size(),
               running.log_level);
}

millrace::admin::HttpSettings http_settings(const millrace::Config& config,
                                            const millrace::BrokerKeys* keys) {
  return {.address = config.http_listen,
          .tls_cert_file = config.http_tls_cert_file,
          .tls_key_file = config.http_tls_key_file,
          .trusted_proxies = config.http_trusted_proxies,
          .tokens = config.http_tokens && keys != nullptr ? &keys->ring() : nullptr,
          .on_certificate =
              [](bool well, const std::string& what) {
                spdlog::log(well ? spdlog::level::info : spdlog::level::err, "{}", what);
              },
          .on_request = [](const std::string& line) { spdlog::debug("{}", line); }};
}

// Notifies the watchdog as long as every loop responds, until a signal other than SIGHUP comes.
void wait_for_end(const sigset_t& signals, const std::string& path, millrace::Config& config,
                  const Shards& shards, const millrace::admin::ShardSnapshots& snapshots,
                  millrace::admin::HttpPort* http) {
  std::uint64_t watchdog_us = 0;
  const bool watched = sd_watchdog_enabled(0, &watchdog_us) > 0;
  const std::uint64_t wait_us = watched ? std::min(watchdog_us / 2, look_us_max) : look_us_max;
  const timespec wait{.tv_sec = static_cast<time_t>(wait_us / 1'000'000),
                      .tv_nsec = static_cast<long>(wait_us % 1'000'000 * 1'000)};
  for (;;) {
    const int signal = sigtimedwait(&signals, nullptr, &wait);
    if (signal == SIGHUP) reload(path, config, shards);
    if (signal == SIGHUP && http != nullptr) http->reload_certificate();
    if (signal > 0 && signal != SIGHUP) return;
    const auto stalls = snapshots.stalls(millrace::runtime::read_clocks().mono_ms);
    for (const auto& stall : stalls) spdlog::error("{}", stall);
    if (watched && stalls.empty()) sd_notify(0, "WATCHDOG=1");
  }
}

// Runs the shards to their end; the exit code.
int run_shards(const sigset_t& signals, const std::string& path, millrace::Config config,
               const Shards& shards, millrace::admin::ShardSnapshots& snapshots,
               millrace::admin::HttpPort* http) {
  std::vector<std::string> ends(shards.size());
  std::vector<std::thread> threads;
  for (std::size_t s = 0; s < shards.size(); ++s) {
    threads.emplace_back([&, s, self = pthread_self()] {
      ends[s] = shards[s]->run();
      // A shard that ended by itself ends the process: the others stop too.
      if (!ends[s].empty()) pthread_kill(self, SIGUSR1);
    });
  }
  spdlog::info("millraced {} is ready", MILLRACE_VERSION);
  sd_notify(0, "READY=1");
  wait_for_end(signals, path, config, shards, snapshots, http);
  sd_notify(0, "STOPPING=1");
  snapshots.stop();
  for (const auto& shard : shards) shard->request_stop();
  for (auto& thread : threads) thread.join();
  int code = 0;
  for (const auto& end : ends) {
    if (end.empty()) continue;
    spdlog::critical("{}", end);
    code = exit_store;
  }
  spdlog::info("stopped");
  return code;
}

bool libraries_are_refused() {
  const auto sqlite = millrace::sqlite_version_of(millrace::storage::sqlite_version_number());
  const auto [major, minor, patch] = millrace::net::zmq_version_numbers();
  const millrace::LibraryVersion zmq{.major = major, .minor = minor, .patch = patch};
  spdlog::info("the loaded libraries: SQLite {}, libzmq {}", to_string(sqlite), to_string(zmq));
  const auto wrong = millrace::wrong_with_libraries(sqlite, zmq);
  for (const auto& words : wrong) spdlog::critical("{}", words);
  return !wrong.empty();
}

int serve(const std::string& path, const millrace::Config& config) {
  millrace::start_logging(config.log_level, config.log_format);
  if (libraries_are_refused()) return exit_config;
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Watchers watchers{.snapshots = millrace::admin::ShardSnapshots(config.shards),
                    .http = !config.http_listen.empty()};
  if (const auto wrong = millrace::wrong_with_folders(config); !wrong.empty()) {
    for (const auto& words : wrong) spdlog::critical("{}", words);
    return exit_config;
  }
  if (const auto wrong = millrace::admin::wrong_with_certificate(http_settings(config, nullptr));
      !wrong.empty()) {
    spdlog::critical("{}", wrong);
    return exit_config;
  }
  const auto descriptors = millrace::plan_descriptors(config);
  if (!descriptors.wrong.empty()) {
    spdlog::critical("{}", descriptors.wrong);
    return exit_config;
  }
  for (const auto& words : millrace::open_to_others(config)) spdlog::warn("{}", words);
  if (!millrace::wait_for_space(config, signals)) return 0;
  auto& limiter = millrace::net::ConnectionLimiter::instance();
  limiter.arm(descriptors.plan.line, millrace::runtime::read_clocks().mono_ms);
  std::unique_ptr<millrace::audit::AuditLog> audit;  // these three outlive the shards
  if (config.audit) {
    auto opened = millrace::audit::AuditLog::open({.folder = config.data_dir + "/audit"});
    if (!opened) {
      spdlog::critical("{}", opened.error().message);
      return exit_store;
    }
    audit = std::move(*opened);
  }
  const auto keys = millrace::open_keys(config, audit.get());
  if (!keys) {
    spdlog::critical("{}", keys.error().message);
    return exit_config;
  }
  const auto backups = backup_service(config, watchers);
  const Shared shared{backups.get(), keys->get(), audit.get()};
  Shards shards;
  for (std::uint32_t s = 0; s < config.shards; ++s) {
    if (const auto wrong = start_shard(config, s, watchers, shared, shards); !wrong.empty()) {
      spdlog::critical("{}", wrong);
      return exit_store;
    }
  }
  if (const auto wrong = millrace::remember_shards(config); !wrong.empty()) {
    spdlog::critical("{}", wrong);
    return exit_store;
  }
  std::unique_ptr<millrace::admin::HttpPort> http;
  if (watchers.http) {
    http = std::make_unique<millrace::admin::HttpPort>(http_settings(config, keys->get()),
                                                       descriptors.plan.http_connections,
                                                       watchers.snapshots, watchers.metrics);
    if (const auto wrong = http->start(); !wrong.empty()) {
      spdlog::critical("{}", wrong);
      return exit_store;
    }
    spdlog::info("metrics and health on {} port {}",
                 config.http_tls_cert_file.empty() ? "http" : "https", http->port());
  }
  limiter.measure();
  return run_shards(signals, path, config, shards, watchers.snapshots, http.get());
}

// The checks of --check-config beyond the file itself; returns the exit code.
int check_folders(const std::string& path, const millrace::Config& config) {
  const auto wrong = millrace::wrong_with_folders(config);
  for (const auto& words : wrong) std::fprintf(stderr, "%s: %s\n", path.c_str(), words.c_str());
  const auto wrong_keys = millrace::wrong_with_keys(config);
  for (const auto& words : wrong_keys) std::fprintf(stderr, "%s\n", words.c_str());
  if (!wrong.empty() || !wrong_keys.empty()) return exit_config;
  for (const auto& words : millrace::missing_folders(config)) {
    std::fprintf(stderr, "note: %s\n", words.c_str());
  }
  const auto certificate = millrace::admin::wrong_with_certificate(http_settings(config, nullptr));
  if (!certificate.empty()) {
    std::fprintf(stderr, "note: started by this user, the broker would end: %s\n",
                 certificate.c_str());
  }
  std::printf("%s: the configuration is valid\n", path.c_str());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  millrace::close_to_others();
  if (const auto ended = millrace::run_offline(count, arguments)) return *ended;
  std::string path;
  bool check = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--config" && i + 1 < count) {
      path = arguments[++i];
    } else if (argument == "--check-config") {
      check = true;
    } else if (argument == "--help" || argument == "--version") {
      std::fputs(argument == "--help" ? usage : "millraced " MILLRACE_VERSION "\n", stdout);
      return 0;
    } else {
      std::fprintf(stderr, "millraced: unknown option '%s'\n%s", arguments[i], usage);
      return exit_usage;
    }
  }
  if (path.empty()) {
    std::fputs(usage, stderr);
    return exit_usage;
  }
  const auto read = millrace::read_config(path);
  const char* const priority = millrace::logs_to_journal() ? "<3>" : "";
  for (const auto& error : read.errors) std::fprintf(stderr, "%s%s\n", priority, error.c_str());
  if (!read.errors.empty()) return exit_config;
  if (check) return check_folders(path, read.config);
  return serve(path, read.config);
}
