#include "process.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace millrace {
namespace {

constexpr int exit_child_came_back = 70;

using Number = std::atomic<std::uint64_t>;
static_assert(Number::is_always_lock_free);

std::atomic<Number*> page{nullptr};
std::atomic<std::uint64_t> last{0};  // numbers of this process and of those it descends from

void wipe() { page.load()->store(0); }

// A page that the kernel gives to a child full of zeros, whatever way it was forked.
Number& number() {
  if (Number* const made = page.load(std::memory_order_acquire)) return *made;
  void* const bytes =
      ::mmap(nullptr, sizeof(Number), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) std::abort();  // not a page of memory is left
  const bool wiped = ::madvise(bytes, sizeof(Number), MADV_WIPEONFORK) == 0;
  Number* const mine = new (bytes) Number(0);
  Number* other = nullptr;
  if (!page.compare_exchange_strong(other, mine)) {
    ::munmap(bytes, sizeof(Number));
    return *other;
  }
  if (!wiped) ::pthread_atfork(nullptr, nullptr, wipe);  // a kernel before Linux 4.14
  return *mine;
}

std::uint64_t this_process() {
  std::uint64_t now = number().load();
  if (now != 0) return now;
  const std::uint64_t fresh = last.fetch_add(1) + 1;
  return number().compare_exchange_strong(now, fresh) ? fresh : now;
}

}  // namespace

ProcessMark::ProcessMark() : process_(this_process()) {}
bool ProcessMark::inherited() const { return number().load() != process_; }

Error made_before_fork(const char* what) {
  return {ErrorCode::unavailable,
          std::string("this ") + what +
              " was made before fork(), or its shared Connection was, and the connection belongs "
              "to the "
              "parent process: nothing was sent; make a new one in the child",
          {}};
}

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&all, own);
  }
  ::pthread_sigmask(SIG_BLOCK, &all, &before_);
}
SignalsBlocked::~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::string_view to_string(LogLevel level) {
  constexpr std::array<std::string_view, 4> words{"debug", "info", "warning", "error"};
  return words[static_cast<std::size_t>(level)];
}

void report(const ConnectionOptions& options, LogLevel level, const std::string& what) {
  if (options.log) {
    try {
      return options.log(level, what);
    } catch (...) {
      std::fputs("millrace: the log function threw an exception for this message:\n", stderr);
    }
  } else if (level < LogLevel::error) {
    return;
  }
  std::fprintf(stderr, "millrace: %s\n", what.c_str());
}

void misuse(const char* what) {
  std::fprintf(stderr, "millrace: %s\n", what);
  std::abort();
}

void end_child(const char* of) {
  std::fprintf(
      stderr,
      "millrace: process %d was forked inside a %s and returned from it; the process is ended, "
      "because its connection belongs to the parent process: call exec or _exit instead\n",
      static_cast<int>(::getpid()), of);
  std::_Exit(exit_child_came_back);
}

}  // namespace millrace
