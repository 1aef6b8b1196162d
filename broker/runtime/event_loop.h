// One libuv loop around one ZeroMQ socket and one timer. ZMQ_FD is edge-triggered: its event only
// wakes the loop; the turn drains, and the loop does not sleep while there is more.
// Threads: run() and the callbacks on the shard's thread; wake() from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace millrace::runtime {

class EventLoop {
 public:
  struct Callbacks {
    std::function<void()> turn;   // after each check of the descriptor
    std::function<bool()> more;   // whether another turn is wanted at once
    std::function<void()> tick;   // each period
    std::function<void()> woken;  // by wake()
  };
  EventLoop(int fd, std::uint64_t period_ms, Callbacks callbacks);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void run();
  void stop();
  void wake();

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

}  // namespace millrace::runtime
