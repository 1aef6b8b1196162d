// What the quickstart shows.
#include "report.h"

#include <unistd.h>
#include <algorithm>
#include <cstdio>

namespace quickstart {
namespace {

constexpr std::size_t bar_cells = 32;

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

Progress::Progress(std::size_t jobs) : jobs_(jobs), terminal_(::isatty(2) != 0) {}

void Progress::show(std::size_t finished, std::size_t running, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(finished) / seconds : 0;
  if (!terminal_) {
    const std::size_t tenth = finished * 10 / std::max<std::size_t>(jobs_, 1);
    if (tenth == said_) return;
    said_ = tenth;
    std::fprintf(stderr, "  %zu of %zu done, %.1f a second, %zu running\n", finished, jobs_, rate,
                 running);
    return;
  }
  const std::size_t full = finished * bar_cells / std::max<std::size_t>(jobs_, 1);
  std::string bar;
  for (std::size_t i = 0; i < bar_cells; ++i) bar += i < full ? "█" : "░";
  std::fprintf(stderr, "\r\033[K  %s %zu/%zu  %.1f/s  %zu running", bar.c_str(), finished, jobs_,
               rate, running);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::say(const std::string& sentence) {
  if (drawn_) std::fputs("\r\033[K", stderr);
  std::fprintf(stderr, "  %s\n", sentence.c_str());
}

void Progress::end() {
  if (drawn_) std::fputc('\n', stderr);
  drawn_ = false;
}

void print_table(const Summary& s) {
  std::printf("\n  pictures   %6zu\n  jobs       %6zu   three sizes each\n", s.pictures, s.jobs);
  std::printf("  completed  %6zu\n  retried    %6zu   by the kills\n", s.completed, s.retried);
  std::printf("  dead       %6zu   in the dead-letter queue\n", s.dead);
  std::printf("  lost       %6zu\n  seconds    %6.1f\n", s.lost, s.seconds);
  std::printf("\n  thumbnails in %s\n", s.output.c_str());
  if (!s.dead_job.empty()) {
    std::printf("\n  %s is dead:\n    %s\n", s.dead_job.c_str(), s.dead_error.c_str());
  }
  std::printf(
      "\n  look further:\n"
      "    sqlite3 -readonly %s/shard-0.db 'select * from finished_list limit 5'\n"
      "    less %s/millraced.log\n"
      "    %s/millraced --config %s/millraced.toml &\n"
      "    %s/millrace --broker %s dead list\n",
      s.data.c_str(), s.data.c_str(), s.bin.c_str(), s.data.c_str(), s.bin.c_str(),
      s.endpoint.c_str());
}

void print_json(const Summary& s) {
  std::printf(
      "{\"pictures\": %zu, \"jobs\": %zu, \"completed\": %zu, \"retried\": %zu, \"dead\": %zu, "
      "\"lost\": %zu, \"seconds\": %.2f, \"output\": %s}\n",
      s.pictures, s.jobs, s.completed, s.retried, s.dead, s.lost, s.seconds,
      json_text(s.output).c_str());
}

}  // namespace quickstart
