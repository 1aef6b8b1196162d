// The background thread of one Connection: the ZeroMQ context, the wake-up, and one wait for the
// sockets of all participants.
// Threads: any; a Source's members run on the loop's thread only.
#pragma once

#include "process.h"
#include "times.h"

#include <zmq.h>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace millrace {

class EventLoop {
 public:
  class Source {
   public:
    virtual ~Source() = default;
    virtual void turn(Clock::time_point now) = 0;
    // The events to wait for, with a time limit; afterwards the events that occurred.
    virtual void add_to(std::vector<zmq_pollitem_t>& items) const = 0;
    [[nodiscard]] virtual Clock::duration rest() = 0;
    virtual void receive() = 0;
  };

  EventLoop();
  ~EventLoop();  // every source has been removed
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // The thread runs from the first call on; an error says why it could not start.
  [[nodiscard]] std::optional<Error> start();
  // In a child of the process that made this: call nothing else, and do not destroy it.
  [[nodiscard]] bool inherited() const { return mark_.inherited(); }
  // Whether the calling thread is this loop's, or does its work inside an Inside.
  [[nodiscard]] bool here() const;
  class Inside {
   public:
    explicit Inside(const EventLoop& loop);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    const EventLoop* before_;
  };

  void wake();
  // Runs it on the loop's thread between two turns, in the order of the calls. Without a thread it
  // runs at once.
  void post(std::function<void()> task);
  // The same, but waits for its end. Never call it on the loop's thread.
  void run_there(const std::function<void()>& task);
  [[nodiscard]] Clock::time_point last_turn() const { return Clock::time_point(last_turn_.load()); }

  // On the loop's thread.
  void add(Source& source) { sources_.push_back(&source); }
  void remove(Source& source) { std::erase(sources_, &source); }
  [[nodiscard]] void* context() const { return context_; }
  [[nodiscard]] std::uint64_t next_number() { return ++numbers_; }  // for names within the context

 private:
  void run();
  void run_posted();
  void wait_for_events();

  const ProcessMark mark_;
  void* context_ = nullptr;
  int wake_fd_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<bool> woken_{false};  // wake_fd_ is written and not yet read
  std::atomic<Clock::duration> last_turn_{};
  std::mutex mutex_;  // guards what follows
  std::condition_variable ran_;
  bool started_ = false;
  std::deque<std::function<void()>> posted_;
  std::thread thread_;
  // The loop's thread only.
  std::vector<Source*> sources_;
  std::vector<zmq_pollitem_t> items_;
  std::uint64_t numbers_ = 0;
};

}  // namespace millrace
