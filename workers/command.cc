// Runs a command for each job: its streams, its exit, and the outcome of the job.
#include "command.h"

#include "child.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stop_token>

namespace millrace::workers {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int exit_discard = 65;
constexpr std::size_t result_bytes_max = 64U << 10, error_bytes_max = 4'096;

// A payload as a file that goes away with the run.
class PayloadFile {
 public:
  explicit PayloadFile(std::string_view payload) {
    path = (std::filesystem::temp_directory_path() / "millrace-XXXXXX").string();
    const int fd = ::mkostemp(path.data(), 0);
    ok = fd >= 0;
    while (ok && !payload.empty()) {
      const auto wrote = ::write(fd, payload.data(), payload.size());
      ok = wrote > 0;
      if (ok) payload.remove_prefix(static_cast<std::size_t>(wrote));
    }
    if (fd >= 0) ::close(fd);
  }
  ~PayloadFile() { ::unlink(path.c_str()); }
  PayloadFile(const PayloadFile&) = delete;
  PayloadFile& operator=(const PayloadFile&) = delete;
  std::string path;
  bool ok = false;
};

// A stop request as a descriptor that poll() understands.
class StopSignal {
 public:
  explicit StopSignal(const std::stop_token& token)
      : fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), tell_(token, Tell{fd}) {}
  ~StopSignal() { ::close(fd); }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  const int fd;

 private:
  struct Tell {
    int fd;
    void operator()() const {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto wrote = ::write(fd, &one, sizeof one);
    }
  };
  std::stop_callback<Tell> tell_;
};

std::string clean(std::string_view text) {  // an environment value ends at a zero byte
  return std::string(text.substr(0, text.find('\0')));
}

// A JSON object of strings. One with an empty name alone came from a client that sent no map: as it
// is.
std::string headers_text(const std::map<std::string, std::string>& headers) {
  const auto quoted = [](const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      if (static_cast<unsigned char>(c) >= 0x20) {
        out += c;
        continue;
      }
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    }
    return out + '"';
  };
  if (headers.size() == 1 && headers.begin()->first.empty()) return clean(headers.begin()->second);
  std::string out;
  for (const auto& [name, value] : headers) {
    out += (out.empty() ? "{" : ",") + quoted(name) + ":" + quoted(value);
  }
  return out.empty() ? "" : out + "}";
}

std::vector<std::string> environment_of(const JobContext& job) {
  using std::chrono::milliseconds;
  const auto enqueued =
      std::chrono::duration_cast<milliseconds>(job.enqueued_at().time_since_epoch()).count();
  return {"MILLRACE_JOB=" + job.id().str(),
          "MILLRACE_TOPIC=" + job.id().topic,
          "MILLRACE_PARTITION=" + std::to_string(job.id().partition),
          "MILLRACE_SEQ=" + std::to_string(job.id().seq),
          "MILLRACE_KEY=" + clean(job.key()),
          "MILLRACE_HEADERS=" + headers_text(job.headers()),
          "MILLRACE_ATTEMPT=" + std::to_string(job.attempt()),
          "MILLRACE_MAX_ATTEMPTS=" + std::to_string(job.max_attempts()),
          "MILLRACE_ENQUEUED_MS=" + std::to_string(enqueued)};
}

class Run {
 public:
  Run(const CommandOptions& options, JobContext& job, std::string_view input, Child& child)
      : options_(options), job_(job), input_(input), child_(child), stop_(job.stop()) {
    if (options.run_max.count() > 0) limit_at_ = Clock::now() + options.run_max;
  }

  HandlerResult to_end() {
    if (input_.empty()) child_.close_in();
    while (!ended_) turn();
    read_rest();
    return meaning(child_.reap());
  }

 private:
  void turn() {
    std::array<pollfd, 5> fds{pollfd{child_.exited, POLLIN, 0}, pollfd{child_.in, POLLOUT, 0},
                              pollfd{child_.out, POLLIN, 0}, pollfd{child_.err, POLLIN, 0},
                              pollfd{terminated_ ? -1 : stop_.fd, POLLIN, 0}};
    ::poll(fds.data(), fds.size(), wait_ms());
    if (fds[1].revents != 0) feed();
    if (fds[2].revents != 0 && !read_some(child_.out, &output_, false)) child_.close_out();
    if (fds[3].revents != 0 && !read_some(child_.err, &errors_, true)) child_.close_err();
    if (fds[0].revents != 0) ended_ = true;
    if (fds[4].revents != 0) terminate();
    const auto now = Clock::now();
    if (!terminated_ && now >= limit_at_) {
      over_limit_ = true;
      terminate();
    }
    if (terminated_ && now >= kill_at_) {
      child_.signal_group(SIGKILL);
      kill_at_ = Clock::time_point::max();
    }
  }

  [[nodiscard]] int wait_ms() const {
    const auto next = terminated_ ? kill_at_ : limit_at_;
    if (next == Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  void terminate() {
    terminated_ = true;
    kill_at_ = Clock::now() + options_.term_grace;
    child_.signal_group(SIGTERM);
  }

  void feed() {
    const auto wrote = ::write(child_.in, input_.data(), input_.size());
    if (wrote > 0) input_.remove_prefix(static_cast<std::size_t>(wrote));
    // A command that does not read its input is its own business.
    if (input_.empty() || (wrote < 0 && errno != EAGAIN)) child_.close_in();
  }

  // False at the end of the stream. Keeps the front of the output, or the tail.
  static bool read_some(int fd, std::string* kept, bool tail) {
    std::array<char, 16'384> buffer{};
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    kept->append(buffer.data(), static_cast<std::size_t>(got));
    const std::size_t max = tail ? error_bytes_max : result_bytes_max;
    if (kept->size() > max) tail ? kept->erase(0, kept->size() - max) : kept->erase(max);
    return true;
  }

  void read_rest() {
    for (auto [fd, kept, tail] :
         {std::tuple{child_.out, &output_, false}, std::tuple{child_.err, &errors_, true}}) {
      pollfd ready{fd, POLLIN, 0};
      while (fd >= 0 && ::poll(&ready, 1, 0) > 0 && read_some(fd, kept, tail)) {
      }
    }
  }

  [[nodiscard]] std::string because(const std::string& what) const {
    return errors_.empty() ? what : what + ": " + errors_;
  }

  [[nodiscard]] HandlerResult meaning(int status) const {
    const bool exited = WIFEXITED(status);
    if (exited && WEXITSTATUS(status) == 0) return done(output_);
    const StopReason reason = job_.stop_reason();
    if (over_limit_ || reason == StopReason::run_time_limit) {
      return retry(because("stopped: it exceeded its run-time limit"));
    }
    if (reason == StopReason::draining) return release();
    if (!exited) {
      const int signal = WTERMSIG(status);
      return crashed(because(std::string("the command was killed by signal ") +
                             std::to_string(signal) + " (" + ::strsignal(signal) + ")"));
    }
    const int code = WEXITSTATUS(status);
    const std::string what = because("exit status " + std::to_string(code));
    return code == exit_discard ? discard(what) : retry(what);
  }

  const CommandOptions& options_;
  JobContext& job_;
  std::string_view input_;
  Child& child_;
  StopSignal stop_;
  std::string output_, errors_;
  Clock::time_point limit_at_ = Clock::time_point::max(), kill_at_ = Clock::time_point::max();
  bool ended_ = false, terminated_ = false, over_limit_ = false;
};

}  // namespace

HandlerResult run_command(const CommandOptions& options, JobContext& job) {
  auto environment = environment_of(job);
  std::optional<PayloadFile> file;
  if (options.payload_file) {
    file.emplace(job.payload());
    if (!file->ok) return retry("cannot write the payload to the file " + file->path);
    environment.push_back("MILLRACE_PAYLOAD_FILE=" + file->path);
  }
  Child child(options.command, environment);
  if (!child.error().empty()) return retry(child.error());
  return Run(options, job, file ? std::string_view{} : job.payload(), child).to_end();
}

}  // namespace millrace::workers
