// One delivery, and the names of a handler's outcomes.
#include "delivery.h"

#include "wire/limits.h"

#include <algorithm>
#include <array>

namespace millrace {

void Delivery::progress(int percent, std::string_view note) {
  const std::lock_guard lock(mutex_);
  progress_ =
      Progress{std::clamp(percent, 0, 100), std::string(note.substr(0, wire::note_bytes_max))};
}

std::optional<Delivery::Progress> Delivery::take_progress() {
  const std::lock_guard lock(mutex_);
  return std::exchange(progress_, std::nullopt);
}

std::stop_token Delivery::stop() const {
  const std::lock_guard lock(mutex_);
  if (!stop_.stop_possible()) {
    stop_ = std::stop_source();
    if (reason_ != StopReason::none) stop_.request_stop();
  }
  return stop_.get_token();
}

void Delivery::request_stop(StopReason reason) {
  std::stop_source stop(std::nostopstate);
  {
    const std::lock_guard lock(mutex_);
    if (reason_ != StopReason::none) return;
    reason_ = reason;
    stop = stop_;
  }
  stop.request_stop();  // outside: its callbacks may ask us
}

void Delivery::reset() {
  const std::lock_guard lock(mutex_);
  stop_ = std::stop_source(std::nostopstate);
  progress_.reset();
  reason_ = StopReason::none;
  running = gone = settling = false;
  run_until = Clock::time_point::max();
}

const DeliveredJob& JobContext::job() const { return delivery_.job; }
std::stop_token JobContext::stop() const { return delivery_.stop(); }
StopReason JobContext::stop_reason() const { return delivery_.stop_reason(); }
void JobContext::progress(int percent, std::string_view note) { delivery_.progress(percent, note); }

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
