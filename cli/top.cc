// top: a live view of depth, rates and workers.
#include "commands.h"
#include "output.h"
#include "views.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>
#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

using Clock = std::chrono::steady_clock;

// The other screen without echo, and back at the end, however it ends but SIGKILL.
class Screen {
 public:
  Screen() {
    tcgetattr(0, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    tcsetattr(0, TCSANOW, &raw);
    print("\033[?1049h\033[?25l");
  }
  ~Screen() {
    print("\033[?25h\033[?1049l");
    std::fflush(stdout);
    tcsetattr(0, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  // True when the user has had enough.
  static bool wait(std::chrono::milliseconds span) {
    pollfd keys{0, POLLIN, 0};
    if (::poll(&keys, 1, static_cast<int>(span.count())) <= 0) return false;
    char key = 0;
    return ::read(0, &key, 1) <= 0 || key == 'q' || key == 3;
  }

 private:
  termios before_{};
};

struct Look {
  Clock::time_point at;
  std::vector<TopicView> topics;
  std::vector<ShardView> shards;
};

Result<Look> look(Client& client) {
  auto topics = client.topics();
  if (!topics) return tl::unexpected(topics.error());
  auto shards = client.status();
  if (!shards) return tl::unexpected(shards.error());
  return Look{Clock::now(), std::move(*topics), std::move(*shards)};
}

std::string rate(std::uint64_t now, std::uint64_t before, double seconds) {
  if (seconds <= 0 || now < before) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", static_cast<double>(now - before) / seconds);
  return text;
}

std::string frame(const Look& now, const Look* before) {
  std::uint64_t credit = 0, p99 = 0, wal = 0, workers = 0;
  for (const auto& shard : now.shards) {
    credit += shard.credit_free;
    p99 = std::max(p99, shard.commit_us_p99);
    wal += shard.wal_bytes;
    workers = std::max(workers, shard.workers);
  }
  std::string out = "millrace  " + std::to_string(now.shards.size()) + " shard(s), up " +
                    age_text(now.shards.front().uptime) + "   workers " + std::to_string(workers) +
                    ", free credit " + std::to_string(credit) + "   commit p99 " +
                    std::to_string(p99) + " us, WAL " + bytes_text(wal) + "\n\n";
  Table table({"TOPIC", ">AVAILABLE", ">RUNNING", ">RETRYABLE", ">DEAD", ">IN/s", ">DONE/s",
               ">OLDEST", "STATE"});
  const double seconds =
      before == nullptr ? 0 : std::chrono::duration<double>(now.at - before->at).count();
  for (const auto& topic : now.topics) {
    TopicView was = topic;
    if (before != nullptr) {
      for (const auto& old : before->topics) {
        if (old.topic == topic.topic) was = old;
      }
    }
    table.add({topic.topic, std::to_string(topic.available), std::to_string(topic.running),
               std::to_string(topic.retryable), std::to_string(topic.dead),
               rate(topic.enqueued, was.enqueued, seconds),
               rate(topic.completed, was.completed, seconds),
               topic.available > 0 ? age_text(topic.oldest_available) : "-",
               topic.paused ? "paused" : "active"});
  }
  return out + table.text();
}

int once(const Options& options, Client& client) {
  const auto first = look(client);
  if (!first) return fail(options, first.error());
  if (!options.json) return print(frame(*first, nullptr)), exit_ok;
  nlohmann::json all{{"topics", nlohmann::json::array()}, {"shards", nlohmann::json::array()}};
  for (const auto& topic : first->topics) all["topics"].push_back(json_of(topic));
  for (const auto& shard : first->shards) all["shards"].push_back(json_of(shard));
  return print_json(all), exit_ok;
}

int top(const Options& options, Client& client) {
  if (options.once || options.json || ::isatty(0) == 0 || ::isatty(1) == 0) {
    return once(options, client);
  }
  const Screen screen;
  std::optional<Look> before;
  for (;;) {
    auto now = look(client);
    print("\033[H\033[J" +
          (now ? frame(*now, before ? &*before : nullptr)
               : "the broker is unreachable: " + now.error().message + "\n") +
          "\npress q to quit\n");
    std::fflush(stdout);
    if (now) before = std::move(*now);
    if (Screen::wait(options.interval)) return exit_ok;
  }
}

}  // namespace

std::vector<Command> top_commands() {
  return {{.name = "top",
           .help = "show a live view of topics and workers; q or Ctrl-C quits",
           .options = {flag("--once", &Options::once, "print the view once and exit"),
                       duration_option("--interval", &Options::interval,
                                       "refresh interval (default 1s)")},
           .examples = "  millrace top --interval 500ms\n  millrace top --once --json\n",
           .run = top}};
}

}  // namespace millrace::cli
