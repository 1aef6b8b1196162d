// Fuzzing: any bytes as the key file of a client give keys that fit together, or an error that
// names the file and no part of a secret.
#include "key_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("web-1.key", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (fchmod(file, S_IRUSR | S_IWUSR) != 0 || ftruncate(file, 0) != 0 ||
      pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const auto key = millrace::read_key_file(path);
  if (!key) {
    const std::string& error = key.error().message;
    // Sentences of ours alone: the longest has fewer characters than these.
    if (error.rfind(path, 0) != 0 || error.size() > path.size() + 100) std::abort();
    return 0;
  }
  if (key->public_key.size() != 40 || key->secret_key.size() != 40) std::abort();
  if (key->broker_public_keys.empty()) std::abort();
  return 0;
}
