// A broker and two workers.
#include "fleet.h"

#include "text.h"

#include <fstream>

namespace quickstart {

Fleet::Fleet(Paths paths) : paths_(std::move(paths)) {}

std::string Fleet::start() {
  std::ofstream config(paths_.data + "/millraced.toml");
  config << "[broker]\ndata_dir = " << in_quotes(paths_.data) << "\nlisten = ["
         << in_quotes(endpoint())
         << "]\n\n[[topic]]\nname = \"thumbnails\"\nhistory = true\nmax_attempts = 5\n"
         // Someone watches: what fails is tried again within a second, not within hours.
         << "backoff_ms_min = 200\nbackoff_ms_max = 1000\n";
  config.close();
  if (!config) return "cannot write to " + paths_.data;
  start_broker();
  for (std::size_t i = 0; i < workers_.size(); ++i) start_worker(i);
  return {};
}

void Fleet::start_broker() {
  broker_ =
      std::make_unique<Process>(std::vector<std::string>{paths_.bin + "/millraced", "--config",
                                                         paths_.data + "/millraced.toml"},
                                paths_.data + "/millraced.log");
}

void Fleet::start_worker(std::size_t place) {
  const std::string name = "thumbnails-" + std::to_string(place + 1);
  workers_[place] = std::make_unique<Process>(
      std::vector<std::string>{
          paths_.bin + "/millrace-worker", "--topic", "thumbnails", "--concurrency", "4", "--name",
          name, "--broker", endpoint(), "--run-max", "20s", "--exec",
          // In the shell's place, so that it ends with a killed worker.
          "exec " + shell_word(paths_.script) + " " + shell_word(paths_.output)},
      paths_.data + "/" + name + ".log");
}

pid_t Fleet::kill_a_worker() {
  const pid_t pid = workers_[0]->pid();
  workers_[0]->kill_now();
  start_worker(0);
  return pid;
}

pid_t Fleet::kill_the_broker() {
  const pid_t pid = broker_->pid();
  broker_->kill_now();
  start_broker();
  return pid;
}

std::string Fleet::fallen() {
  if (!broker_->running())
    return "the broker ended by itself: see " + paths_.data + "/millraced.log";
  for (auto& worker : workers_) {
    if (!worker->running()) return "a worker ended by itself: see the logs in " + paths_.data;
  }
  return {};
}

void Fleet::stop() {
  for (auto& worker : workers_) worker->terminate();
  for (auto& worker : workers_) worker->wait();
  broker_->terminate();
  broker_->wait();
}

}  // namespace quickstart
