#include "event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

thread_local const EventLoop* loop_here = nullptr;

}  // namespace

EventLoop::EventLoop()
    : context_(zmq_ctx_new()), wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  last_turn_ = Clock::now().time_since_epoch();
}

EventLoop::~EventLoop() {
  stop_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
  while (context_ != nullptr && zmq_ctx_term(context_) != 0 && zmq_errno() == EINTR) {
  }
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

std::optional<Error> EventLoop::start() {
  const std::lock_guard lock(mutex_);
  if (started_) return std::nullopt;
  if (context_ == nullptr || wake_fd_ < 0) {
    return Error{
        ErrorCode::unavailable,
        "no file descriptor is left for a connection: raise the limit of open files (ulimit -n)",
        {}};
  }
  const SignalsBlocked quiet;  // ZeroMQ's threads are made by ours
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& e) {
    return Error{
        ErrorCode::unavailable, std::string("a thread could not be started: ") + e.what(), {}};
  }
  started_ = true;
  return std::nullopt;
}

bool EventLoop::here() const { return loop_here == this; }
EventLoop::Inside::Inside(const EventLoop& loop) : before_(std::exchange(loop_here, &loop)) {}
EventLoop::Inside::~Inside() { loop_here = before_; }

void EventLoop::wake() {
  if (woken_.exchange(true)) return;
  const std::uint64_t one = 1;
  while (::write(wake_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void EventLoop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (started_) posted_.push_back(std::exchange(task, nullptr));
  }
  if (task) return task();
  wake();
}

void EventLoop::run_there(const std::function<void()>& task) {
  bool ran = false;
  post([this, &task, &ran] {
    task();
    const std::lock_guard lock(mutex_);
    ran = true;
    ran_.notify_all();
  });
  std::unique_lock lock(mutex_);
  ran_.wait(lock, [&ran] { return ran; });
}

void EventLoop::run_posted() {
  for (;;) {
    std::function<void()> task;
    {
      const std::lock_guard lock(mutex_);
      if (posted_.empty()) return;
      task = std::move(posted_.front());
      posted_.pop_front();
    }
    task();
  }
}

void EventLoop::wait_for_events() {
  items_.assign(1, {nullptr, wake_fd_, ZMQ_POLLIN, 0});
  Clock::duration longest = std::chrono::seconds(1);
  for (Source* const source : sources_) {
    source->add_to(items_);
    longest = std::min(longest, source->rest());
  }
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(longest).count();
  zmq_poll(items_.data(), static_cast<int>(items_.size()), static_cast<long>(wait));
  if (items_.front().revents == 0) return;
  std::uint64_t drained = 0;
  [[maybe_unused]] const auto got = ::read(wake_fd_, &drained, sizeof drained);
  woken_.exchange(false);  // after the read: who wakes from here on writes again
}

void EventLoop::run() {
  const Inside inside(*this);
  while (!stop_) {
    run_posted();
    const auto now = Clock::now();
    last_turn_ = now.time_since_epoch();
    for (Source* const source : sources_) source->turn(now);
    wait_for_events();
    for (Source* const source : sources_) source->receive();
    if (inherited()) end_child("callback");  // of a std::stop_token, or the log
  }
}

}  // namespace millrace
