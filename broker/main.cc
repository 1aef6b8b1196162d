// millraced: builds the parts and runs them. A shard is a thread with a loop, a socket, an engine
// and a store of its own; the main thread waits for signals.
#include "config.h"
#include "runtime/broker.h"
#include "runtime/clock.h"
#include "storage/sqlite_store.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int exit_usage = 64, exit_store = 74, exit_config = 78;

// A commit that waits for a slow disk is no reason to be killed; a loop that stands is.
constexpr std::int64_t alive_within_ms = 15'000;

constexpr const char* usage =
    "usage: millraced --config FILE [--check-config]\n"
    "exit codes: 0 clean, 64 usage, 74 the store or a socket refused, 78 configuration\n";

millrace::runtime::BrokerOptions options_of(const millrace::Config& config, std::uint32_t shard) {
  millrace::runtime::BrokerOptions options;
  options.engine.shard = shard;
  options.engine.shards = config.shards;
  options.engine.allow_new_topics = config.allow_new_topics;
  options.engine.lease_ms = config.lease_ms;
  options.engine.grace_ms = config.grace_ms_max;
  options.heartbeat_ms = config.heartbeat_ms;
  options.disk_free_bytes_min = config.disk_free_bytes_min;
  options.topics = config.topics;
  options.version = MILLRACE_VERSION;
  for (std::uint32_t s = 0; s < config.shards; ++s) {
    auto& endpoints = options.topology.emplace_back();
    for (const auto& address : config.listen) {
      endpoints.push_back(millrace::shard_address(address, s));
    }
  }
  return options;
}

using Shards = std::vector<std::unique_ptr<millrace::runtime::Broker>>;

// Tells systemd that the broker lives as long as the loop of each shard turns.
void wait_for_end(const sigset_t& signals, const Shards& shards) {
  const timespec tick{1, 0};
  while (sigtimedwait(&signals, nullptr, &tick) < 0) {
    const std::int64_t oldest = millrace::runtime::read_clocks().mono_ms - alive_within_ms;
    const bool alive = std::all_of(shards.begin(), shards.end(), [oldest](const auto& shard) {
      return shard->alive_mono_ms() >= oldest;
    });
    if (alive) sd_notify(0, "WATCHDOG=1");
  }
}

int serve(const millrace::Config& config) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Shards shards;
  for (std::uint32_t s = 0; s < config.shards; ++s) {
    auto store = millrace::storage::open_sqlite(
        {.path = config.data_dir + "/shard-" + std::to_string(s) + ".db"});
    if (!store) {
      spdlog::critical("{}", store.error().message);
      return exit_store;
    }
    shards.push_back(
        std::make_unique<millrace::runtime::Broker>(options_of(config, s), std::move(*store)));
    if (const auto wrong = shards.back()->start(); !wrong.empty()) {
      spdlog::critical("{}", wrong);
      return exit_store;
    }
  }
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
  wait_for_end(signals, shards);
  sd_notify(0, "STOPPING=1");
  for (auto& shard : shards) shard->request_stop();
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

}  // namespace

int main(int count, char** arguments) {
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
      std::fprintf(stderr, "millraced: what is '%s'?\n%s", arguments[i], usage);
      return exit_usage;
    }
  }
  if (path.empty()) {
    std::fputs(usage, stderr);
    return exit_usage;
  }
  const auto read = millrace::read_config(path);
  for (const auto& error : read.errors) std::fprintf(stderr, "%s\n", error.c_str());
  if (!read.errors.empty()) return exit_config;
  if (check) {
    std::printf("%s is well\n", path.c_str());
    return 0;
  }
  return serve(read.config);
}
