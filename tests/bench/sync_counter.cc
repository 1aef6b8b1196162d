// Preloaded into a process that is measured: counts its fsync and fdatasync calls in a file of two
// numbers named by MILLRACE_BENCH_SYNCS, {calls, delay in ms}. The second is written by
// tests/bench/run: each call then takes at least so long, so an answer that came sooner did not
// wait for its disk.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>
#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

struct Numbers {
  std::atomic<std::uint64_t> calls, delay_ms;
};

Numbers* numbers() {
  static Numbers* const shared = []() -> Numbers* {
    const char* path = std::getenv("MILLRACE_BENCH_SYNCS");
    const int fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return nullptr;
    void* map = ::mmap(nullptr, sizeof(Numbers), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    return map == MAP_FAILED ? nullptr : static_cast<Numbers*>(map);
  }();
  return shared;
}

int counted(const char* name, int fd) {
  using Call = int (*)(int);
  const auto next = reinterpret_cast<Call>(::dlsym(RTLD_NEXT, name));
  if (Numbers* shared = numbers(); shared != nullptr) {
    ++shared->calls;
    const auto delay_ms = static_cast<int>(shared->delay_ms);
    if (delay_ms > 0) ::poll(nullptr, 0, delay_ms);
  }
  return next(fd);
}

}  // namespace

extern "C" {
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc names them __fildes.
int fsync(int fd) { return counted("fsync", fd); }
int fdatasync(int fd) { return counted("fdatasync", fd); }
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
}
