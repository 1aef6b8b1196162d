// The quickstart: thumbnails of every picture in a folder through a durable broker, while a worker
// and the broker are killed. Started by examples/quickstart, which builds it.
//   quickstart PICTURES BIN SCRIPT WORK [--json]
#include "fleet.h"
#include "report.h"

#include <millrace/client.h>
#include <millrace/producer.h>

#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using quickstart::Fleet;
using quickstart::Progress;
using quickstart::Summary;

constexpr int widths[] = {160, 480, 1280};
constexpr const char* topic = "thumbnails";

volatile std::sig_atomic_t interrupted = 0;

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry :
       fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    std::string type = entry.path().extension().string();
    std::transform(type.begin(), type.end(), type.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool picture = type == ".jpg" || type == ".jpeg" || type == ".png" || type == ".webp" ||
                         type == ".tif" || type == ".tiff";
    if (picture && entry.is_regular_file()) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// A photograph cut short in its header: what a broken upload looks like.
fs::path add_corrupt_picture(const fs::path& like, const fs::path& folder) {
  fs::path path = folder / "corrupt.jpg";
  std::ifstream from(like, std::ios::binary);
  std::string bytes(24, '\0');
  from.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::vector<millrace::Job> jobs_of(const std::vector<fs::path>& pictures, const fs::path& output) {
  std::vector<millrace::Job> jobs;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    for (const int width : widths) {
      // The number keeps pictures of one name in different folders apart.
      const auto to = output / (std::to_string(i) + "-" + pictures[i].stem().string() + "-" +
                                std::to_string(width) + ".jpg");
      jobs.push_back({.topic = topic,
                      .payload = std::to_string(width) + "\t" + pictures[i].string() + "\t" +
                                 to.string() + "\n"});
    }
  }
  return jobs;
}

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

// Until every job is final. False when interrupted, or a part ended by itself.
bool watch(Fleet& fleet, millrace::Client& client, Progress& progress, std::size_t jobs,
           Clock::time_point begun) {
  Trouble trouble(fleet, progress, jobs);
  for (;;) {
    if (interrupted != 0) return false;
    if (const auto fallen = fleet.fallen(); !fallen.empty()) {
      progress.say(fallen);
      return false;
    }
    const auto topics = client.topics(topic);
    if (topics && !topics->empty()) {
      const auto& view = topics->front();
      const std::size_t finished = view.completed + view.dead;
      const std::chrono::duration<double> spent = Clock::now() - begun;
      progress.show(finished, view.running, spent.count());
      trouble.look(finished);
      if (finished >= jobs) return true;
    }
    std::this_thread::sleep_for(100ms);
  }
}

// Where most programs say what they mean.
std::string last_line(std::string text) {
  text.erase(text.find_last_not_of(" \n") + 1);
  return text.substr(text.rfind('\n') + 1);
}

// By asking for each job that was acknowledged, and looking for each file that was promised.
void count(const std::vector<millrace::JobId>& ids, millrace::Client& client, Summary* summary) {
  for (const auto& id : ids) {
    const auto job = client.job(id);
    const bool completed = job && job->state == millrace::State::completed;
    const bool dead = job && job->state == millrace::State::dead;
    if (completed && fs::exists(job->result.substr(0, job->result.find('\n')))) {
      ++summary->completed;
    } else if (dead) {
      ++summary->dead;
      if (summary->dead_job.empty()) {
        summary->dead_job = id.str();
        summary->dead_error = last_line(job->error);
      }
    } else {
      ++summary->lost;
    }
    if (job && job->attempt > 1) ++summary->retried;
  }
}

// A socket's path has at most 107 bytes: beside the data where it fits, else in /tmp.
fs::path short_folder(const fs::path& data) {
  if (data.string().size() < 90) return data;
  char made[] = "/tmp/millrace-XXXXXX";
  if (::mkdtemp(made) == nullptr) throw std::runtime_error("no folder can be made in /tmp");
  return made;
}

int run(const fs::path& folder, const fs::path& bin, const fs::path& script, const fs::path& work,
        bool json) {
  const auto begun = Clock::now();
  fs::remove_all(work);
  const fs::path data = work / "data", output = work / "thumbnails";
  fs::create_directories(data);
  fs::create_directories(output);
  auto pictures = pictures_in(folder);
  if (pictures.empty()) {
    std::fprintf(stderr, "no pictures (jpg, png, webp, tiff) in %s\n", folder.c_str());
    return 1;
  }
  pictures.insert(pictures.begin() + static_cast<std::ptrdiff_t>(pictures.size() / 2),
                  add_corrupt_picture(pictures.front(), work));
  const fs::path socket_folder = short_folder(data);
  Fleet fleet({bin.string(), script.string(), data.string(), (socket_folder / "s").string()});
  if (const auto wrong = fleet.start(); !wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return 1;
  }
  const auto jobs = jobs_of(pictures, output);
  std::fprintf(stderr, "%zu pictures, %zu jobs, a broker and two workers of four slots\n",
               pictures.size(), jobs.size());
  bool well = true;
  Summary summary{.pictures = pictures.size(), .jobs = jobs.size()};
  {
    const millrace::ConnectionOptions connection{.brokers = {fleet.endpoint()}};
    millrace::Producer producer({.connection = connection});
    millrace::Client client({.connection = connection, .timeout = 3s});
    std::vector<millrace::JobId> ids;
    for (const auto& outcome : producer.enqueue_all(jobs)) {
      if (outcome.outcome == millrace::Outcome::stored) ids.push_back(outcome.id);
    }
    Progress progress(jobs.size());
    well = ids.size() == jobs.size() && watch(fleet, client, progress, jobs.size(), begun);
    progress.end();
    if (well) count(ids, client, &summary);
  }
  fleet.stop();
  if (socket_folder != data) fs::remove_all(socket_folder);
  if (!well) {
    std::fprintf(stderr, "stopped before the end; logs are in %s\n", data.c_str());
    return 1;
  }
  summary.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  summary.output = output.string();
  summary.data = data.string();
  summary.bin = bin.string();
  summary.endpoint = fleet.endpoint();
  json ? quickstart::print_json(summary) : quickstart::print_table(summary);
  return summary.lost == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) {
    std::fputs("use examples/quickstart [DIR] [--json]\n", stderr);
    return 64;
  }
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  const bool json = count > 5 && std::string_view(arguments[5]) == "--json";
  try {
    return run(fs::canonical(arguments[1]), arguments[2], arguments[3], arguments[4], json);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
