// The output of the quickstart: a progress bar while it runs, a table or a JSON object at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace quickstart {

// A job that is not done, and why.
struct Note {
  std::string job, picture, why;
};

struct Summary {
  std::size_t pictures = 0, jobs = 0, completed = 0, retried = 0, dead = 0, waiting = 0, lost = 0;
  double seconds = 0;
  std::string output, data, endpoint, bin;
  std::vector<Note> dead_jobs, waiting_jobs;
};

struct Counts {
  std::size_t finished = 0, running = 0, retryable = 0;
};

// Nothing is drawn where people do not look: on a terminal a bar, else a line now and then.
class Progress {
 public:
  explicit Progress(std::size_t jobs);
  void show(const Counts& now, double seconds);
  void say(const std::string& sentence);
  void end();

 private:
  std::size_t jobs_, said_ = 0;
  double said_at_s_ = 0;
  bool terminal_, drawn_ = false;
};

void print_table(const Summary& summary);
void print_json(const Summary& summary);

}  // namespace quickstart
