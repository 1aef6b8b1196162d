#include "log.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>

namespace millrace {
namespace {

// Bytes of the character that starts the text; 0: that is not UTF-8.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t count = first < 0x80   ? 1
                            : first < 0xC2 ? 0
                            : first < 0xE0 ? 2
                            : first < 0xF0 ? 3
                            : first < 0xF5 ? 4
                                           : 0;
  if (count > text.size()) return 0;
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  if (count < 3) return count;
  // Forms that are too long, halves of surrogate pairs, and what lies beyond the last character.
  const unsigned second = byte(1);
  const bool wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                     (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return wrong ? 0 : count;
}

void append_escaped(std::string& out, char ch) {
  switch (ch) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  static constexpr std::string_view digits = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(ch);
  if (code >= 0x20 && code != 0x7F) {
    out += ch;
    return;
  }
  out += "\\u00";
  out += digits[code >> 4U];
  out += digits[code & 15U];
}

std::string in_utc(std::chrono::system_clock::time_point time) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = ms / 1'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t bytes = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return std::string(text, bytes) + "." + std::to_string(1'000 + ms % 1'000).substr(1) + "Z";
}

// The priority of journald and sd-daemon(3): 3 error, 4 warning, 6 info, 7 debug.
int priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical: return 2;
    case spdlog::level::err: return 3;
    case spdlog::level::warn: return 4;
    case spdlog::level::info: return 6;
    default: return 7;
  }
}

// One line of text for one message: a line break in a name that a peer sent would be a line of its
// own in the log.
std::string one_line(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    const auto code = static_cast<unsigned char>(text.front());
    if (bytes == 0) out += "\xEF\xBF\xBD";
    if (bytes == 1 && (code < 0x20 || code == 0x7F)) append_escaped(out, text.front());
    if (bytes > 1 || (bytes == 1 && code >= 0x20 && code != 0x7F)) out += text.substr(0, bytes);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return out;
}

// Lines of text. The journal keeps time and priority itself, so there they are not in the text.
class TextFormatter : public spdlog::formatter {
 public:
  explicit TextFormatter(bool journal) : journal_(journal) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    std::string line;
    if (journal_) {
      line = "<" + std::to_string(priority(message.level)) + ">";
    } else {
      const auto level = spdlog::level::to_string_view(message.level);
      line = in_utc(message.time) + " " + std::string(level.data(), level.size()) + " ";
    }
    line += one_line({message.payload.data(), message.payload.size()}) + "\n";
    out.append(line.data(), line.data() + line.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<TextFormatter>(journal_);
  }

 private:
  bool journal_;
};

class JsonFormatter : public spdlog::formatter {
 public:
  explicit JsonFormatter(bool journal) : journal_(journal) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto level = spdlog::level::to_string_view(message.level);
    std::string line;
    if (journal_) line = "<" + std::to_string(priority(message.level)) + ">";
    line += "{\"time\":\"" + in_utc(message.time) + "\",\"level\":\"";
    line.append(level.data(), level.size());
    line += "\",\"message\":" + json_string({message.payload.data(), message.payload.size()});
    line += "}\n";
    out.append(line.data(), line.data() + line.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>(journal_);
  }

 private:
  bool journal_;
};

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) out += "\\ufffd";
    if (bytes == 1) append_escaped(out, text.front());
    if (bytes > 1) out += text.substr(0, bytes);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return out + "\"";
}

bool logs_to_journal() {
  const char* told = std::getenv("JOURNAL_STREAM");
  struct stat it {};
  if (told == nullptr || fstat(STDERR_FILENO, &it) != 0) return false;
  return std::to_string(it.st_dev) + ":" + std::to_string(it.st_ino) == told;
}

void start_logging(std::string_view level, std::string_view format) {
  const bool terminal = isatty(STDERR_FILENO) != 0, journal = logs_to_journal();
  std::shared_ptr<spdlog::logger> log;
  if (terminal && format != "json") {
    log = spdlog::stderr_color_mt("millraced");
  } else {
    log = spdlog::stderr_logger_mt("millraced");
    if (format == "json" || (format == "auto" && !journal)) {
      log->set_formatter(std::make_unique<JsonFormatter>(journal));
    } else {
      log->set_formatter(std::make_unique<TextFormatter>(journal));
    }
  }
  spdlog::set_default_logger(std::move(log));
  set_log_level(level);
}

void set_log_level(std::string_view level) {
  spdlog::set_level(spdlog::level::from_str(std::string(level)));
}

}  // namespace millrace
