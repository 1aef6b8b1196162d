#include "descriptors.h"

#include <sys/resource.h>
#include <algorithm>

namespace millrace {
namespace {

constexpr rlim_t limit_max = 65'536;  // more than that no broker has a use for

// Open from the start to the end.
constexpr int process_open = 8;  // the standard streams, the pipes of libuv, what was inherited
constexpr int http_open = 8;     // its socket, its loop
constexpr int shard_open = 22;   // two locks, three connections to the file, ZeroMQ, a loop
// In use for a short time, or only later.
constexpr int process_reserve = 8;  // the settings read again, a folder synced, systemd notified
constexpr int shard_reserve = 4;    // a journal, the mark of what was synced
constexpr int backup_reserve = 12;  // a source, a copy, their logs, the manifest, folders listed
constexpr int audit_open = 3;       // its file, its head, its folder
constexpr int keys_reserve = 4;     // their folder, a file of it
constexpr int http_connections_min = 8, http_connections_max = 64, http_part = 16;  // of the limit
// Fewer are no service: workers, a producer and a person who looks have one each.
constexpr int shard_connections_min = 4;

int raised_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return static_cast<int>(limit_max);
  const rlim_t wanted = std::min(limit.rlim_max, limit_max);
  if (limit.rlim_cur < wanted) {
    const rlimit raised{wanted, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit.rlim_cur = wanted;
  }
  return static_cast<int>(std::min(limit.rlim_cur, limit_max));
}

}  // namespace

DescriptorPlan plan_descriptors(const Config& config) {
  DescriptorPlan made;
  Descriptors& plan = made.plan;
  plan.limit = raised_limit();
  const int shards = static_cast<int>(config.shards);
  const int sockets = static_cast<int>(config.listen.size());
  int open = process_open + shards * (shard_open + sockets);
  int reserve = process_reserve + shards * shard_reserve;
  if (config.audit) open += audit_open;
  if (!config.keys_dir.empty()) reserve += keys_reserve;
  if (!config.backup_dir.empty()) reserve += backup_reserve;
  if (!config.http_listen.empty()) {
    const int part = plan.limit / http_part;
    const int connections = std::clamp(part, http_connections_min, http_connections_max);
    plan.http_connections = static_cast<unsigned>(connections);
    open += http_open;
    reserve += connections;
  }
  plan.line = plan.limit - reserve;
  const int needed = open + reserve + shards * shard_connections_min;
  if (plan.limit < needed) {
    made.wrong =
        "the limit of " + std::to_string(plan.limit) +
        " open files (RLIMIT_NOFILE) is too low for this configuration, which needs at least " +
        std::to_string(needed) +
        ": raise the hard limit (LimitNOFILE= in the unit, ulimit -n in a shell)" +
        (shards > 1 ? ", or configure fewer shards" : "");
  }
  return made;
}

}  // namespace millrace
