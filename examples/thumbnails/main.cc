// The quickstart: thumbnails of every picture in a folder through a durable broker, while a worker
// and the broker are killed. Started by examples/quickstart, which builds it.
//   quickstart PICTURES BIN SCRIPT WORK [--json]
#include "fleet.h"
#include "report.h"
#include "text.h"
#include "watch.h"

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
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using quickstart::Ended;
using quickstart::Fleet;
using quickstart::Progress;
using quickstart::Summary;
using quickstart::topic;

constexpr int widths[] = {160, 480, 1280};

volatile std::sig_atomic_t interrupted = 0;

bool is_picture(const fs::directory_entry& entry) {
  std::string type = entry.path().extension().string();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::error_code none;  // a link that leads nowhere, or where we may not look
  return (type == ".jpg" || type == ".jpeg" || type == ".png" || type == ".webp" ||
          type == ".tif" || type == ".tiff") &&
         entry.is_regular_file(none);
}

// Folders that cannot be read are passed over, but for the first: that is an error.
std::vector<fs::path> pictures_in(const fs::path& folder, std::error_code& wrong) {
  std::vector<fs::path> found;
  if (fs::directory_iterator(folder, wrong); wrong) return found;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, wrong);
  while (!wrong && at != fs::recursive_directory_iterator{}) {
    if (is_picture(*at)) found.push_back(at->path());
    at.increment(wrong);
  }
  std::sort(found.begin(), found.end());
  return found;
}

// A photograph that is truncated in its header, like a broken upload.
fs::path add_corrupt_picture(const fs::path& like, const fs::path& folder) {
  fs::path path = folder / "corrupt.jpg";
  std::ifstream from(like, std::ios::binary);
  std::string bytes(24, '\0');
  from.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::vector<millrace::Job> jobs_of(const std::vector<fs::path>& pictures) {
  std::vector<millrace::Job> jobs;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    for (const int width : widths) {
      // The number keeps pictures of one name in different folders apart.
      const std::string name = std::to_string(i) + "-" +
                               quickstart::plain_name(pictures[i].stem().string()) + "-" +
                               std::to_string(width) + ".jpg";
      jobs.push_back({.topic = topic,
                      .payload = std::to_string(width) + " " + name + "\n" + pictures[i].string()});
    }
  }
  return jobs;
}

// Where most programs say what they mean.
std::string last_line(std::string text) {
  text.erase(text.find_last_not_of(" \n") + 1);
  return text.substr(text.rfind('\n') + 1);
}

std::string utc(millrace::JobView::Time time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// What a job waits for, and until when.
std::string waits_for(const millrace::JobView& job, millrace::Client& client) {
  const auto why = client.explain(job.id);
  std::string text = why ? why->text : "the broker did not say: " + why.error().message;
  if (job.due_at) text += " Next attempt at " + utc(*job.due_at) + ".";
  return text + (job.error.empty() ? "" : " It failed with: " + last_line(job.error));
}

// By asking for each job that was acknowledged, and looking for each file that was promised.
// Ids and pictures are in the order of the jobs.
void count(const std::vector<millrace::JobId>& ids, const std::vector<fs::path>& pictures,
           const fs::path& output, millrace::Client& client, Summary* summary) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto job = client.job(ids[i]);
    const auto note = [&](const std::string& why) {
      return quickstart::Note{ids[i].str(), pictures[i / std::size(widths)].string(), why};
    };
    if (job && job->attempt > 1) ++summary->retried;
    if (!job) {
      ++summary->lost;
    } else if (job->state == millrace::State::dead) {
      ++summary->dead;
      summary->dead_jobs.push_back(note(last_line(job->error)));
    } else if (!millrace::is_final(job->state)) {
      ++summary->waiting;
      summary->waiting_jobs.push_back(note(waits_for(*job, client)));
    } else {
      std::error_code none;
      const auto made = output / job->result.substr(0, job->result.find('\n'));
      const bool whole = job->state == millrace::State::completed && !job->result.empty() &&
                         fs::exists(made, none);
      ++(whole ? summary->completed : summary->lost);
    }
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
  std::error_code wrong_folder;
  auto pictures = pictures_in(folder, wrong_folder);
  if (wrong_folder || pictures.empty()) {
    const std::string why = wrong_folder ? "cannot read the folder: " + wrong_folder.message()
                                         : "no pictures (.jpg, .png, .webp, .tif) in the folder";
    std::fprintf(stderr, "%s: %s\n", why.c_str(), quickstart::shown(folder.string()).c_str());
    return 1;
  }
  pictures.insert(pictures.begin() + static_cast<std::ptrdiff_t>(pictures.size() / 2),
                  add_corrupt_picture(pictures.front(), work));
  const fs::path socket_folder = short_folder(data);
  Fleet fleet({bin.string(), script.string(), output.string(), data.string(),
               (socket_folder / "s").string()});
  if (const auto wrong = fleet.start(); !wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return 1;
  }
  const auto jobs = jobs_of(pictures);
  std::fprintf(stderr, "%zu pictures, %zu jobs, a broker and two workers of four slots\n",
               pictures.size(), jobs.size());
  auto ended = Ended::broken;
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
    if (ids.size() == jobs.size()) {
      ended = quickstart::watch(fleet, client, progress, jobs.size(), interrupted);
    } else {
      progress.say("the broker did not take every job: see the logs");
    }
    progress.end();
    if (ended != Ended::broken) count(ids, pictures, output, client, &summary);
  }
  fleet.stop();
  if (socket_folder != data) fs::remove_all(socket_folder);
  if (ended == Ended::broken) {
    std::fprintf(stderr, "stopped before the end; logs are in %s\n",
                 quickstart::shown(data.string()).c_str());
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
