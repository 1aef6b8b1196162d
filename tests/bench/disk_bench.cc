// What the disk does, and what SQLite does on it: bench_disk FOLDER ROWS PAYLOAD_BYTES.
// Prints one JSON object.
#include "sqlite_bench.h"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr std::size_t page_bytes = 4'096, pages_of_file = 4'096, syncs = 2'000;
constexpr std::size_t rows_one_by_one = 2'000;  // each waits for the disk
constexpr int exit_usage = 64;

// Pages of 4 KiB a second, each on disk before the next is written, in a file of 16 MiB that is
// there already: what a log that is written again costs.
double measure_syncs(const std::string& folder) {
  const std::string path = folder + "/raw";
  const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  const std::array<char, page_bytes> page{};
  bool well = fd >= 0;
  const auto put = [&](std::size_t at) {
    const auto offset = static_cast<off_t>(at * page_bytes);
    well = well && ::pwrite(fd, page.data(), page.size(), offset) == ssize_t{page_bytes};
  };
  for (std::size_t at = 0; at < pages_of_file; ++at) put(at);
  well = well && ::fsync(fd) == 0;
  const double begun = millrace::bench::seconds();
  for (std::size_t i = 0; i < syncs; ++i) {
    put(i % pages_of_file);
    well = well && ::fdatasync(fd) == 0;
  }
  const double took = millrace::bench::seconds() - begun;
  if (!well) {
    std::perror(("bench: writing " + path).c_str());
    std::exit(1);
  }
  ::close(fd);
  ::unlink(path.c_str());
  return static_cast<double>(syncs) / took;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fputs("usage: bench_disk FOLDER ROWS PAYLOAD_BYTES\n", stderr);
    return exit_usage;
  }
  const std::string folder = arguments[1];
  const std::size_t rows = std::strtoull(arguments[2], nullptr, 10);
  const std::size_t payload = std::strtoull(arguments[3], nullptr, 10);
  std::printf("{\"fdatasync_per_s\": %.1f", measure_syncs(folder));
  for (const std::size_t batch : {1U, 128U, 1'024U}) {
    const std::size_t some = batch == 1 ? std::min(rows, rows_one_by_one) : rows;
    const auto rates = millrace::bench::measure_sqlite(folder, some, batch, payload);
    std::printf(", \"sqlite_insert_%zu\": %.1f, \"sqlite_delete_%zu\": %.1f", batch,
                rates.insert_per_s, batch, rates.remove_per_s);
  }
  std::puts("}");
}
