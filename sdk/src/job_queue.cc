#include "job_queue.h"

#include "times.h"

namespace millrace {
namespace {

// The list nodes of answered jobs that are kept for later jobs.
constexpr std::size_t spare_max = 2'048, spare_payload_bytes_max = 1'024;

}  // namespace

JobQueue::Put JobQueue::put(Job&& job, Producer::Done&& done, Clock::time_point deadline,
                            Room wanted) {
  std::unique_lock lock(mutex_);
  const std::size_t bytes = Pending::bytes_of(job);
  const std::size_t parts = wanted == Room::beyond ? 2 : 1;
  const auto room = [&] {
    return jobs_ == 0 || (jobs_ / parts < jobs_max_ && (bytes_ + bytes) / parts <= bytes_max_);
  };
  if (!room()) {
    if (wanted != Room::awaited) return Put::no_room;
    ++waiting_;
    given_back_.wait(lock, room);
    --waiting_;
  }
  ++jobs_;
  bytes_ += bytes;
  const Put put = queue_.empty() ? Put::first : Put::behind;
  if (spare_.empty()) {
    queue_.emplace_back();
  } else {
    queue_.splice(queue_.end(), spare_, spare_.begin());
  }
  Pending& placed = queue_.back();
  placed.job = std::move(job);  // the caller frees what the node held
  placed.done = std::move(done);
  placed.deadline = deadline;
  return put;
}

PendingList JobQueue::take_all() {
  const std::lock_guard lock(mutex_);
  return std::exchange(queue_, {});
}

void JobQueue::give_back(PendingList&& answered) {
  std::size_t bytes = 0;
  for (Pending& pending : answered) {
    bytes += pending.bytes();
    pending.done = nullptr;  // another thread may wait for an object that it captured
    if (pending.job.payload.capacity() > spare_payload_bytes_max) pending.job = {};
  }
  const std::lock_guard lock(mutex_);
  jobs_ -= answered.size();
  bytes_ -= bytes;
  if (spare_.size() + answered.size() <= spare_max) spare_.splice(spare_.end(), answered);
  if (waiting_ > 0) given_back_.notify_all();
}

bool JobQueue::wait_empty(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  const bool empty = given_back_.wait_until(lock, after(timeout), [this] { return jobs_ == 0; });
  --waiting_;
  return empty;
}

}  // namespace millrace
