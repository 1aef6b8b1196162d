// One delivery, and the words of a handler's answer.
#include "delivery.h"

#include "wire/limits.h"

#include <algorithm>
#include <array>

namespace millrace {

void Delivery::progress(int percent, std::string_view note) {
  const std::lock_guard lock(progress_mutex_);
  progress_ =
      Progress{std::clamp(percent, 0, 100), std::string(note.substr(0, wire::note_bytes_max))};
}

std::optional<Delivery::Progress> Delivery::take_progress() {
  const std::lock_guard lock(progress_mutex_);
  return std::exchange(progress_, std::nullopt);
}

void Delivery::request_stop(StopReason reason) {
  StopReason none = StopReason::none;
  if (reason_.compare_exchange_strong(none, reason)) stop_.request_stop();
}

std::string_view to_string(StopReason reason) {
  constexpr std::array<std::string_view, 5> words{"none", "cancelled", "lease_lost",
                                                  "run_time_limit", "draining"};
  return words[static_cast<std::size_t>(reason)];
}

HandlerResult done(std::string result) {
  return {HandlerResult::Kind::done, std::move(result), {}};
}
HandlerResult retry(std::string why, std::optional<std::chrono::milliseconds> after) {
  return {HandlerResult::Kind::retry, std::move(why), after};
}
HandlerResult discard(std::string why) {
  return {HandlerResult::Kind::discard, std::move(why), {}};
}
HandlerResult release() { return {HandlerResult::Kind::release, {}, {}}; }
HandlerResult crashed(std::string how) {
  return {HandlerResult::Kind::crashed, std::move(how), {}};
}

}  // namespace millrace
