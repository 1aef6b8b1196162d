// What the quickstart shows: a bar while it runs, a table or a JSON object at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace quickstart {

struct Summary {
  std::size_t pictures = 0, jobs = 0, completed = 0, retried = 0, dead = 0, lost = 0;
  double seconds = 0;
  std::string output, data, endpoint, bin;
  std::string dead_job, dead_error;  // the first one
};

// Nothing is drawn where people do not look: on a terminal a bar, else a line now and then.
class Progress {
 public:
  explicit Progress(std::size_t jobs);
  void show(std::size_t finished, std::size_t running, double seconds);
  void say(const std::string& sentence);
  void end();

 private:
  std::size_t jobs_, said_ = 0;
  bool terminal_, drawn_ = false;
};

void print_table(const Summary& summary);
void print_json(const Summary& summary);

}  // namespace quickstart
