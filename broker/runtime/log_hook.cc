#include "runtime/log_hook.h"

#include <spdlog/spdlog.h>
#include <string>

namespace millrace::runtime {
namespace {

std::string in_hex(const core::SessionId& session) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : session) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

// The fields of an event besides its job.
std::string details(const core::Event& event) {
  std::string text;
  if (event.count > 1) text += " count=" + std::to_string(event.count);
  if (event.attempt > 0) text += " attempt=" + std::to_string(event.attempt);
  if (event.reason != core::DeadReason::none) {
    text += " reason=" + std::string(to_string(event.reason));
  }
  if (event.session == core::SessionId{}) return text;
  if (event.kind == core::EventKind::delivered) {
    text += " wait_ms=" + std::to_string(event.wait_ms);
  } else if (event.ref.topic != 0) {
    text += " run_ms=" + std::to_string(event.run_ms);
  }
  return text + " session=" + in_hex(event.session);
}

}  // namespace

void LogHook::on_event(const core::Event& event, std::string_view topic) {
  spdlog::logger* log = spdlog::default_logger_raw();
  if (!log->should_log(spdlog::level::debug)) return;
  if (event.ref.topic == 0) return log->debug("event={}{}", to_string(event.kind), details(event));
  log->debug("event={} job={}/{}/{}{}", to_string(event.kind), topic, event.ref.partition,
             event.ref.seq, details(event));
}

}  // namespace millrace::runtime
