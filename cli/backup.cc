// The command backup: starts a backup, and shows its progress until it is finished.
#include "commands.h"
#include "output.h"

#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

constexpr int look_ms = 200;  // between two questions
constexpr std::uint64_t bar_cells = 30;

std::string name_of_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "auto-%Y%m%dT%H%M%SZ", &parts);
  return text;
}

nlohmann::json json_of(const BackupView& view) {
  nlohmann::json json{
      {"name", view.name},          {"state", to_string(view.state)}, {"shards", view.shards},
      {"bytes", view.copied_bytes}, {"took_ms", view.took.count()},   {"removed", view.removed}};
  if (!view.error.empty()) json["error"] = {{"code", view.code}, {"message", view.error}};
  return json;
}

// One line of a terminal, written over and over.
class Bar {
 public:
  explicit Bar(bool shown) : shown_(shown) {}
  ~Bar() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  void show(const BackupView& view) const {
    if (!shown_) return;
    const std::uint64_t total = std::max<std::uint64_t>(view.total_bytes, 1);
    const std::uint64_t part = std::min(view.copied_bytes, total);
    const auto full = static_cast<std::size_t>(part * bar_cells / total);
    const std::string cells = std::string(full, '#') + std::string(bar_cells - full, '.');
    std::fprintf(stderr, "\r\033[K[%s] %3llu %%  %s of %s, shard %llu of %llu, %s", cells.c_str(),
                 static_cast<unsigned long long>(part * 100 / total),
                 bytes_text(view.copied_bytes).c_str(), bytes_text(view.total_bytes).c_str(),
                 static_cast<unsigned long long>(std::min(view.shard + 1, view.shards)),
                 static_cast<unsigned long long>(view.shards), age_text(view.took).c_str());
  }

 private:
  bool shown_;
};

// Until it has ended, or another one was begun instead.
Result<BackupView> follow(Client& client, BackupView view) {
  const std::string name = view.name;
  const Bar bar(::isatty(2) == 1);
  while (view.state == BackupState::running) {
    bar.show(view);
    (void)::poll(nullptr, 0, look_ms);
    auto next = client.backup_status();
    if (!next) return next;
    if (next->name != name) {
      return tl::unexpected(Error{
          ErrorCode::outcome_unknown,
          "the broker no longer reports the backup " + name +
              ": it was restarted or has started another backup; check whether the backup exists",
          {}});
    }
    view = std::move(*next);
  }
  return view;
}

int backup(const Options& options, Client& client) {
  const std::string name = options.topic.empty() ? name_of_now() : options.topic;
  auto view = client.backup(name, options.keep);
  if (view && !options.detach) view = follow(client, std::move(*view));
  if (!view) return fail(options, view.error());
  if (options.json) print_json(json_of(*view));
  if (view->state == BackupState::failed) {
    std::fprintf(stderr, "millrace: the backup %s failed: %s (%s)\n", name.c_str(),
                 view->error.c_str(), view->code.c_str());
    return exit_refused;
  }
  if (options.json) return exit_ok;
  if (view->state == BackupState::running) {
    print("started the backup " + name + "\n");
    return exit_ok;
  }
  print("backed up " + std::to_string(view->shards) + (view->shards == 1 ? " shard" : " shards") +
        " as " + name + ": " + bytes_text(view->copied_bytes) + " in " + age_text(view->took) +
        "\n");
  if (view->removed > 0) {
    print("removed " + std::to_string(view->removed) + " older backups, kept " +
          std::to_string(options.keep) + "\n");
  }
  return exit_ok;
}

}  // namespace

std::vector<Command> backup_commands() {
  return {
      {.name = "backup",
       .help = "back up all shards of a running broker",
       .arguments = {text_argument(
           "NAME",
           "name of the backup, a folder in the broker's backup_dir; default auto-TIME (UTC)",
           &Options::topic, Argument::Count::optional)},
       .options = {number_option("--keep", &Options::keep, 1, 10'000,
                                 "afterwards delete the oldest backups of the same series (the "
                                 "name up to its last -) so that N are left"),
                   flag("--detach", &Options::detach, "do not wait until the backup is finished")},
       .examples = "  millrace backup before-upgrade\n  millrace backup --keep 7\n",
       .run = backup}};
}

}  // namespace millrace::cli
