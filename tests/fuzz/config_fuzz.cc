// Fuzzing: any bytes as the settings file give a complete configuration, or errors with their line
// and column.
#include "config.h"

#include <sys/mman.h>
#include <unistd.h>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("millraced.toml", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const millrace::ReadConfig read = millrace::read_config(path);
  for (const std::string& error : read.errors) {
    if (error.rfind(path, 0) != 0) std::abort();  // each says where
  }
  if (!read.errors.empty()) return 0;
  if (read.config.shards == 0 || read.config.data_dir.empty()) std::abort();
  for (const auto& address : read.config.listen) {
    (void)millrace::shard_address(address, read.config.shards - 1);
  }
  return 0;
}
