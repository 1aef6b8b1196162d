// The queue of jobs from callers to the loop's thread, and the bounds of unanswered jobs. A job
// moves between lists without being copied, and the list node of an answered job is used for the
// next: so a job needs no allocation here, and its payload is freed by a caller, not across
// threads.
// Threads: any.
#pragma once

#include "link.h"

#include <millrace/producer.h>

#include <condition_variable>
#include <list>
#include <mutex>

namespace millrace {

struct Pending {
  Job job;
  Producer::Done done;
  Clock::time_point deadline;
  [[nodiscard]] std::size_t bytes() const { return bytes_of(job); }
  [[nodiscard]] static std::size_t bytes_of(const Job& job) {
    std::size_t all = job.payload.size() + 64;
    for (const auto& [name, value] : job.headers) all += name.size() + value.size() + 64;
    return all;
  }
};
using PendingList = std::list<Pending>;

class JobQueue {
 public:
  JobQueue(std::size_t jobs_max, std::size_t bytes_max)
      : jobs_max_(jobs_max), bytes_max_(bytes_max) {}

  enum class Put : std::uint8_t {
    no_room,  // never where it was to be awaited
    behind,   // others wait to be taken
    first,
  };
  // At the bounds: waits, refuses, or, where it would wait for itself, accepts up to twice the
  // bounds.
  enum class Room : std::uint8_t { awaited, now, beyond };
  // With no_room the job and its callback are still the caller's.
  [[nodiscard]] Put put(Job&& job, Producer::Done&& done, Clock::time_point deadline, Room wanted);
  [[nodiscard]] PendingList take_all();
  // The jobs are answered: their part of the bounds is free again.
  void give_back(PendingList&& answered);
  // Waits until all jobs are answered.
  [[nodiscard]] bool wait_empty(std::chrono::milliseconds timeout);

 private:
  const std::size_t jobs_max_, bytes_max_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable given_back_;
  PendingList queue_, spare_;
  std::size_t jobs_ = 0, bytes_ = 0, waiting_ = 0;
};

}  // namespace millrace
