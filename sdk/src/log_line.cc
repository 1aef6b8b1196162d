// Log lines of programs, with their priority for the journal.
#include <millrace/log_line.h>

#include <sys/stat.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace millrace {
namespace {

// systemd names in JOURNAL_STREAM the file that it reads; a program may have redirected it since.
bool goes_to_journal() {
  const char* told = std::getenv("JOURNAL_STREAM");
  struct stat file {};
  if (told == nullptr || ::fstat(STDERR_FILENO, &file) != 0) return false;
  return std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino) == told;
}

char priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::error: return '3';
    case LogLevel::warning: return '4';
    case LogLevel::info: return '6';
    default: return '7';
  }
}

}  // namespace

void write_log_line(LogLevel level, std::string_view program, std::string_view text) {
  std::string line;
  if (goes_to_journal()) line.append("<").append(1, priority_of(level)).append(">");
  line.append(program).append(": ").append(text).append("\n");
  std::fwrite(line.data(), 1, line.size(), stderr);  // at once: it has no buffer
}

}  // namespace millrace
