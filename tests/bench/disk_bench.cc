// Measures the disk, and SQLite on it:
//   bench_disk append folder=F count=N [samples=F]   a file that grows by 4 KiB, each on disk
//   bench_disk overwrite folder=F count=N        the same in a file of 16 MiB that is there already
//   bench_disk sqlite folder=F rows=N payload=B batch=N
// Prints one JSON object.
#include "options.h"
#include "sqlite_bench.h"
#include "tally.h"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <cstdio>

namespace {

using millrace::bench::give_up;
using millrace::bench::now_ns;

constexpr std::size_t page_bytes = 4'096, pages_of_file = 4'096;

class Raw {
 public:
  explicit Raw(const std::string& folder)
      : path_(folder + "/raw"),
        fd_(::open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600)) {}
  ~Raw() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;

  void put(std::size_t at) {
    const std::array<char, page_bytes> page{};
    const auto offset = static_cast<off_t>(at * page_bytes);
    if (::pwrite(fd_, page.data(), page.size(), offset) != ssize_t{page_bytes}) fail();
  }
  void sync() {
    if (::fdatasync(fd_) != 0) fail();
  }

 private:
  void fail() {
    std::perror(("bench: writing " + path_).c_str());
    give_up("the disk could not be measured");
  }
  std::string path_;
  int fd_;
};

void measure_syncs(const millrace::bench::Options& options, bool grows) {
  const std::size_t count = options.number("count", 2'000);
  Raw file(options.text("folder", "."));
  for (std::size_t at = 0; !grows && at < pages_of_file; ++at) file.put(at);
  file.sync();
  millrace::bench::Samples samples(options.text("samples"));
  const std::uint64_t begun = now_ns();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t before = now_ns();
    file.put(grows ? i : i % pages_of_file);
    file.sync();
    samples.add_ns(now_ns() - before);
  }
  const double took = static_cast<double>(now_ns() - begun) / 1e9;
  samples.write();
  std::printf("{\"per_s\": %.1f, \"median_us\": %u, \"p99_us\": %u}\n",
              static_cast<double>(count) / took, samples.quantile(0.5), samples.quantile(0.99));
}

}  // namespace

int main(int count, char** arguments) {
  const millrace::bench::Options options(
      count, arguments, {"folder", "count", "rows", "payload", "batch", "samples"});
  const std::string folder = options.text("folder", ".");
  if (options.mode() == "append" || options.mode() == "overwrite") {
    measure_syncs(options, options.mode() == "append");
  } else if (options.mode() == "sqlite") {
    const auto rates = millrace::bench::measure_sqlite(folder, options.number("rows", 100'000),
                                                       options.number("batch", 128),
                                                       options.number("payload", 256));
    std::printf("{\"insert_per_s\": %.1f, \"delete_per_s\": %.1f, \"delete_runs_per_s\": %.1f}\n",
                rates.insert_per_s, rates.remove_per_s, rates.remove_runs_per_s);
  } else {
    millrace::bench::wrong_usage("the mode is append, overwrite or sqlite");
  }
}
