#include "tally.h"

#include "options.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cstdio>

namespace millrace::bench {

std::uint64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

double seconds() { return static_cast<double>(now_ns()) / 1e9; }

Tally::Tally(const std::string& path, std::uint64_t jobs) : jobs_(jobs) {
  if (path.empty()) return;
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  void* map = ::mmap(nullptr, sizeof(Numbers), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || map == MAP_FAILED) give_up("the tally " + path + " cannot be mapped");
  ::close(fd);
  shared_ = static_cast<Numbers*>(map);
}

Tally::~Tally() {
  if (shared_ != &own_) ::munmap(shared_, sizeof(Numbers));
}

void Tally::begin() {
  std::uint64_t none = 0;
  shared_->begun_ns.compare_exchange_strong(none, now_ns());
}

void Tally::add(std::uint64_t done) {
  const std::uint64_t before = shared_->done.fetch_add(done);
  if (before < jobs_ && before + done >= jobs_) shared_->ended_ns = now_ns();
}

std::uint64_t Tally::done() const { return shared_->done; }

bool Tally::finished() const { return shared_->ended_ns != 0; }

double Tally::seconds_since_begin() const {
  return static_cast<double>(now_ns() - shared_->begun_ns) / 1e9;
}

std::uint32_t Samples::quantile(double part) {
  if (us_.empty()) return 0;
  std::sort(us_.begin(), us_.end());
  return us_[static_cast<std::size_t>(part * static_cast<double>(us_.size() - 1))];
}

void Samples::write() const {
  if (path_.empty()) return;
  std::FILE* file = std::fopen(path_.c_str(), "wb");
  const bool well =
      file != nullptr && std::fwrite(us_.data(), sizeof us_[0], us_.size(), file) == us_.size();
  if (file != nullptr) std::fclose(file);
  if (!well) give_up("the samples could not be written to " + path_);
}

}  // namespace millrace::bench
