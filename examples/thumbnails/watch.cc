#include "watch.h"

#include <chrono>
#include <string>
#include <thread>

namespace quickstart {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// With no job final for so long it ends: when all that is left has failed before, and in any case.
constexpr auto quiet_failed_max = 5s, quiet_max = 90s;

// Kills a worker after a third of the jobs and the broker after two thirds.
class Trouble {
 public:
  Trouble(Fleet& fleet, Progress& progress, std::size_t jobs)
      : fleet_(fleet), progress_(progress), jobs_(jobs) {}

  void look(std::size_t finished) {
    if (!worker_ && finished * 3 >= jobs_) {
      worker_ = true;
      progress_.say("kill -9 of worker thumbnails-1 (pid " +
                    std::to_string(fleet_.kill_a_worker()) + "): its jobs go to others");
    } else if (!broker_ && finished * 3 >= jobs_ * 2) {
      broker_ = true;
      progress_.say("kill -9 of the broker (pid " + std::to_string(fleet_.kill_the_broker()) +
                    "), started again on its file: the workers keep what they do");
    }
  }

 private:
  Fleet& fleet_;
  Progress& progress_;
  std::size_t jobs_;
  bool worker_ = false, broker_ = false;
};

// Whether every job that is not final has had an attempt that failed.
bool all_failed_before(millrace::Client& client, const millrace::TopicView& view) {
  if (view.available > 0) return false;
  if (view.running == 0) return view.retryable > 0;
  const auto page = client.jobs(
      {.topic = topic, .state = millrace::State::running, .limit = view.running, .after = {}});
  if (!page) return false;
  for (const auto& job : page->jobs) {
    if (job.attempt < 2) return false;
  }
  return true;
}

}  // namespace

Ended watch(Fleet& fleet, millrace::Client& client, Progress& progress, std::size_t jobs,
            const volatile std::sig_atomic_t& interrupted) {
  Trouble trouble(fleet, progress, jobs);
  const auto begun = Clock::now();
  auto moved_at = begun;
  std::size_t before = 0;
  for (;;) {
    if (interrupted != 0) return Ended::broken;
    if (const auto fallen = fleet.fallen(); !fallen.empty()) {
      progress.say(fallen);
      return Ended::broken;
    }
    const auto now = Clock::now();
    const auto topics = client.topics(topic);
    if (topics && !topics->empty()) {
      const auto& view = topics->front();
      const std::size_t finished = view.completed + view.dead;
      if (finished != before) moved_at = now;
      before = finished;
      const std::chrono::duration<double> spent = now - begun;
      progress.show({finished, view.running, view.retryable}, spent.count());
      trouble.look(finished);
      if (finished >= jobs) return Ended::whole;
      const auto quiet = now - moved_at;
      if (quiet > quiet_max) return Ended::waiting;
      if (quiet > quiet_failed_max && all_failed_before(client, view)) return Ended::waiting;
    }
    std::this_thread::sleep_for(100ms);
  }
}

}  // namespace quickstart
