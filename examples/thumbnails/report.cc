// The output of the quickstart.
#include "report.h"

#include "text.h"

#include <unistd.h>
#include <algorithm>
#include <cstdio>

namespace quickstart {
namespace {

constexpr std::size_t bar_cells = 32;
constexpr std::size_t notes_max = 5;  // of each kind
constexpr double said_again_s = 3;

void print_notes(const char* title, const std::vector<Note>& notes) {
  if (notes.empty()) return;
  std::printf("\n  %s\n", title);
  for (std::size_t i = 0; i < notes.size() && i < notes_max; ++i) {
    std::printf("    %s, %s:\n      %s\n", notes[i].job.c_str(), shown(notes[i].picture).c_str(),
                shown(notes[i].why).c_str());
  }
  if (notes.size() > notes_max) std::printf("    and %zu more\n", notes.size() - notes_max);
}

}  // namespace

Progress::Progress(std::size_t jobs) : jobs_(jobs), terminal_(::isatty(2) != 0) {}

void Progress::show(const Counts& now, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(now.finished) / seconds : 0;
  std::string waits;
  if (now.retryable > 0) waits = ", " + std::to_string(now.retryable) + " failed and wait to retry";
  const std::size_t whole = std::max<std::size_t>(jobs_, 1);
  if (!terminal_) {
    const std::size_t tenth = now.finished * 10 / whole;
    const bool silent = seconds - said_at_s_ > said_again_s;
    if (tenth == said_ && !silent) return;
    said_ = tenth;
    said_at_s_ = seconds;
    std::fprintf(stderr, "  %zu of %zu done, %.1f a second, %zu running%s\n", now.finished, jobs_,
                 rate, now.running, waits.c_str());
    return;
  }
  const std::size_t full = now.finished * bar_cells / whole;
  std::string bar;
  for (std::size_t i = 0; i < bar_cells; ++i) bar += i < full ? "█" : "░";
  std::fprintf(stderr, "\r\033[K  %s %zu/%zu  %.1f/s  %zu running%s", bar.c_str(), now.finished,
               jobs_, rate, now.running, waits.c_str());
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
  std::printf("  completed  %6zu\n  retried    %6zu   after a kill or a failure\n", s.completed,
              s.retried);
  std::printf("  dead       %6zu   in the dead-letter queue\n", s.dead);
  if (s.waiting > 0) std::printf("  waiting    %6zu   they failed and wait to retry\n", s.waiting);
  std::printf("  lost       %6zu\n  seconds    %6.1f\n", s.lost, s.seconds);
  std::printf("\n  thumbnails are in %s\n", shown(s.output).c_str());
  print_notes("dead, for no retry can help or all attempts failed:", s.dead_jobs);
  print_notes("waiting; they go on when the broker and a worker run again:", s.waiting_jobs);
  const std::string database = shell_word(s.data + "/shard-0.db");
  std::printf(
      "\n  look further:\n"
      "    sqlite3 -readonly %s 'select * from finished_list limit 5'\n"
      "    less %s\n"
      "    %s --config %s &\n"
      "    %s --broker %s dead list\n",
      database.c_str(), shell_word(s.data + "/millraced.log").c_str(),
      shell_word(s.bin + "/millraced").c_str(), shell_word(s.data + "/millraced.toml").c_str(),
      shell_word(s.bin + "/millrace").c_str(), shell_word(s.endpoint).c_str());
}

void print_json(const Summary& s) {
  std::printf(
      "{\"pictures\": %zu, \"jobs\": %zu, \"completed\": %zu, \"retried\": %zu, \"dead\": %zu, "
      "\"waiting\": %zu, \"lost\": %zu, \"seconds\": %.2f, \"output\": %s}\n",
      s.pictures, s.jobs, s.completed, s.retried, s.dead, s.waiting, s.lost, s.seconds,
      in_quotes(s.output).c_str());
}

}  // namespace quickstart
