// Jobs gather into batches while earlier batches are in flight; a batch keeps its number until it
// is answered, however often it is sent.
#include <millrace/producer.h>

#include "link.h"
#include "wire/codec.h"
#include "wire/error_codes.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <set>

namespace millrace {
namespace {

constexpr std::size_t batch_bytes_max = 4U << 20;

struct Pending {
  Job job;
  Producer::Done done;
  Clock::time_point deadline;
  [[nodiscard]] std::size_t bytes() const { return job.payload.size() + job.headers.size() + 64; }
};

struct Batch {
  std::string topic;
  std::uint16_t partition = 0;
  std::uint64_t number = 0;
  std::vector<Pending> jobs;
  std::uint64_t correlation = 0;
  Clock::time_point sent{};
  Clock::time_point not_before{};  // asked to wait: nothing was stored
};

std::optional<Error> misfit(const Job& job) {
  const auto invalid = [](std::string what) {
    return Error{ErrorCode::invalid, std::move(what), {}};
  };
  if (!wire::valid_topic(job.topic)) {
    return invalid("a topic's name is 1 to 64 of A-Z a-z 0-9 . _ -, first a letter or digit");
  }
  if (job.payload.size() > wire::payload_bytes_max) {
    return Error{ErrorCode::too_large,
                 "a payload has at most 1 MiB: store it elsewhere and send "
                 "where it is",
                 {}};
  }
  if (job.key.size() > wire::key_bytes_max) return invalid("a key has at most 128 bytes");
  if (job.headers.size() > wire::job_headers_bytes_max)
    return invalid("headers have at most 1 KiB");
  if (job.priority && (*job.priority < 0 || *job.priority > wire::priority_max)) {
    return invalid("a priority is 0 (first) to 9");
  }
  if (job.max_attempts && (*job.max_attempts < 1 || *job.max_attempts > 1'000)) {
    return invalid("max_attempts is 1 to 1000");
  }
  if (job.delay.count() < 0) return invalid("a delay is not negative");
  return std::nullopt;
}

std::string encode_batch(const Batch& batch, const wire::Id& producer) {
  wire::Enqueue body;
  body.topic = batch.topic;
  body.partition = batch.partition;
  body.producer = producer;
  body.epoch = 1;
  body.batch = batch.number;
  for (const Pending& p : batch.jobs) {
    wire::NewJob job;
    job.payload = p.job.payload;
    job.key = p.job.key;
    job.headers = p.job.headers;
    if (p.job.priority) job.priority = static_cast<std::uint64_t>(*p.job.priority);
    if (p.job.delay.count() > 0) job.delay_ms = static_cast<std::uint64_t>(p.job.delay.count());
    if (p.job.run_at) {
      using std::chrono::milliseconds;
      const auto at =
          std::chrono::duration_cast<milliseconds>(p.job.run_at->time_since_epoch()).count();
      job.run_at_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(at, 0));
    }
    if (p.job.max_attempts) job.attempts_max = static_cast<std::uint64_t>(*p.job.max_attempts);
    body.jobs.push_back(job);
  }
  return wire::encode(body);
}

}  // namespace

class Producer::Impl : Link::Owner {
 public:
  explicit Impl(ProducerOptions options)
      : options_(std::move(options)), link_(options_.connection, wire::Role::producer, *this) {
    link_.start();
  }
  ~Impl() override {
    link_.stop();
    for (auto& [shard, batches] : open_) {
      for (auto& [number, batch] : batches) end_unknown(batch);
    }
    for (auto& p : take_queue()) reject_unsent(p);
    for (auto& [topic, waiting] : waiting_) {
      for (auto& p : waiting) reject_unsent(p);
    }
  }

  bool submit(Job&& job, Done&& done, bool wait) {
    if (auto wrong = misfit(job)) {
      done(Enqueued{Outcome::rejected, {}, std::move(*wrong)});
      return true;
    }
    Pending pending{std::move(job), std::move(done), Clock::now() + options_.deadline};
    const std::size_t bytes = pending.bytes();
    std::unique_lock lock(mutex_);
    const auto room = [&] {
      return jobs_ == 0 || (jobs_ < options_.in_flight_jobs_max &&
                            bytes_ + bytes <= options_.in_flight_bytes_max);
    };
    if (!room() && !wait) return false;
    room_.wait(lock, room);
    ++jobs_;
    bytes_ += bytes;
    queue_.push_back(std::move(pending));
    const bool first = queue_.size() == 1;
    lock.unlock();
    if (first) link_.wake();
    return true;
  }

  bool flush(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return room_.wait_for(lock, timeout, [this] { return jobs_ == 0; });
  }
  [[nodiscard]] bool connected() const { return link_.all_ready(); }

 private:
  std::deque<Pending> take_queue() {
    const std::lock_guard lock(mutex_);
    return std::exchange(queue_, {});
  }

  void answered(Pending& p, Enqueued&& outcome) {
    const std::size_t bytes = p.bytes();
    p.done(outcome);
    const std::lock_guard lock(mutex_);
    --jobs_;
    bytes_ -= bytes;
    room_.notify_all();
  }
  void reject_unsent(Pending& p) {
    answered(p,
             {Outcome::rejected,
              {},
              {ErrorCode::unavailable,
               "no broker was reached at " + link_.options().brokers.front() + ": nothing was sent",
               {}}});
  }
  void end_unknown(Batch& batch) {
    for (auto& p : batch.jobs) {
      answered(p, {Outcome::unknown,
                   {},
                   {ErrorCode::outcome_unknown,
                    "the broker did not answer in time: the job may be stored",
                    {}}});
    }
  }

  void on_turn(Clock::time_point now) override {
    for (auto& p : take_queue()) waiting_[p.job.topic].push_back(std::move(p));
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      expire_waiting(at->second, now);
      send_waiting(at->first, at->second);
      at = at->second.empty() ? waiting_.erase(at) : std::next(at);
    }
    for (auto& [shard, batches] : open_) {
      for (auto at = batches.begin(); at != batches.end();) {
        Batch& batch = at->second;
        if (batch.jobs.front().deadline <= now) {
          end_unknown(batch);
          at = batches.erase(at);
          continue;
        }
        if (batch.not_before != Clock::time_point{} && batch.not_before <= now) {
          batch.not_before = {};
          send(shard, batch);
        } else if (batch.not_before == Clock::time_point{} && link_.ready(shard) &&
                   now - batch.sent > link_.options().reply_patience) {
          link_.reconnect(shard);  // a reply was lost: on_ready sends again
        }
        ++at;
      }
    }
  }

  void expire_waiting(std::deque<Pending>& waiting, Clock::time_point now) {
    while (!waiting.empty() && waiting.front().deadline <= now) {
      reject_unsent(waiting.front());
      waiting.pop_front();
    }
  }

  void send_waiting(const std::string& topic, std::deque<Pending>& waiting) {
    if (waiting.empty() || !link_.topology().known()) return;
    const auto* owners = link_.topology().topic(topic);
    if (owners == nullptr) return link_.ask_topology({topic});
    while (!waiting.empty()) {
      const auto partitions = static_cast<std::uint16_t>(owners->size());
      const std::string& key = waiting.front().job.key;
      const std::uint16_t partition =
          key.empty() ? static_cast<std::uint16_t>(next_partition_++ % partitions)
                      : wire::partition_of(key, partitions);
      const std::size_t shard = (*owners)[partition];
      auto& batches = open_[shard];
      if (!link_.ready(shard) || batches.size() >= wire::batches_open_max) return;
      Batch batch{topic, partition, ++numbers_[shard], {}, 0, {}};
      std::size_t bytes = 0;
      // Order is kept: the batch ends where the next job belongs to another partition.
      while (!waiting.empty() && batch.jobs.size() < options_.batch_jobs_max &&
             batch.jobs.size() < wire::batch_max && bytes < batch_bytes_max) {
        const Job& next = waiting.front().job;
        if (next.key.empty() != key_is_empty(batch, next) ||
            (!next.key.empty() && wire::partition_of(next.key, partitions) != partition)) {
          break;
        }
        bytes += waiting.front().bytes();
        batch.jobs.push_back(std::move(waiting.front()));
        waiting.pop_front();
      }
      Batch& placed = batches[batch.number] = std::move(batch);
      send(shard, placed);
    }
  }
  static bool key_is_empty(const Batch& batch, const Job& next) {
    return batch.jobs.empty() ? next.key.empty() : batch.jobs.front().job.key.empty();
  }

  void send(std::size_t shard, Batch& batch) {
    if (!link_.ready(shard)) return;
    batch.sent = Clock::now();
    batch.correlation = link_.send(shard, wire::Verb::enqueue, encode_batch(batch, producer_));
    sent_[batch.correlation] = {shard, batch.number};
  }

  void on_ready(std::size_t shard, const std::vector<std::uint64_t>& /*lost*/) override {
    for (auto& [number, batch] : open_[shard]) send(shard, batch);
  }

  void on_message(std::size_t /*from*/, const wire::Header& header,
                  std::string_view body) override {
    const auto asked = sent_.find(header.correlation);
    if (asked == sent_.end()) return;
    const auto [shard, number] = asked->second;
    sent_.erase(asked);
    auto& batches = open_[shard];
    const auto at = batches.find(number);
    if (at == batches.end()) return;
    Batch& batch = at->second;
    if (static_cast<wire::Verb>(header.verb) == wire::Verb::ok) {
      const auto ok = wire::decode<wire::EnqueueOk>(body);
      if (!ok || ok->count != batch.jobs.size()) return;
      for (std::size_t i = 0; i < batch.jobs.size(); ++i) {
        answered(batch.jobs[i],
                 {Outcome::stored, {batch.topic, batch.partition, ok->first_seq + i}, {}});
      }
      batches.erase(at);
      return;
    }
    const auto error = wire::decode<wire::ErrorBody>(body);
    if (!error) return;
    refused(shard, at, *error);
  }

  void refused(std::size_t shard, std::map<std::uint64_t, Batch>::iterator at,
               const wire::ErrorBody& error) {
    Batch& batch = at->second;
    const ErrorCode code = wire::parse_code(error.code).value_or(ErrorCode::invalid);
    const std::chrono::milliseconds wait(
        std::clamp<std::uint64_t>(error.retry_after_ms, 50, 5'000));
    // Nothing was stored: the same batch again, a little later, within its deadline.
    if (code == ErrorCode::overloaded || code == ErrorCode::shutting_down) {
      batch.not_before = Clock::now() + wait;
      return;
    }
    if (code == ErrorCode::not_owner) {
      link_.topology().forget(batch.topic);
      auto& waiting = waiting_[batch.topic];
      for (auto p = batch.jobs.rbegin(); p != batch.jobs.rend(); ++p) {
        waiting.push_front(std::move(*p));
      }
      open_[shard].erase(at);
      return;
    }
    const bool unknown = code == ErrorCode::duplicate;
    for (auto& p : batch.jobs) {
      answered(
          p, {unknown ? Outcome::unknown : Outcome::rejected,
              {},
              {code, std::string(error.message), std::chrono::milliseconds(error.retry_after_ms)}});
    }
    open_[shard].erase(at);
  }

  ProducerOptions options_;
  std::mutex mutex_;  // guards queue_, jobs_, bytes_
  std::condition_variable room_;
  std::deque<Pending> queue_;
  std::size_t jobs_ = 0, bytes_ = 0;
  // The link's thread only.
  wire::Id producer_ = random_id();
  std::map<std::string, std::deque<Pending>> waiting_;
  std::map<std::size_t, std::map<std::uint64_t, Batch>> open_;  // by shard and number
  std::map<std::size_t, std::uint64_t> numbers_;
  std::map<std::uint64_t, std::pair<std::size_t, std::uint64_t>> sent_;
  std::size_t next_partition_ = 0;
  Link link_;  // last: its thread ends first
};

Producer::Producer(ProducerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Producer::~Producer() = default;

Enqueued Producer::enqueue(Job job) {
  std::vector<Job> one;
  one.push_back(std::move(job));
  return std::move(enqueue_all(std::move(one)).front());
}

std::vector<Enqueued> Producer::enqueue_all(std::vector<Job> jobs) {
  std::vector<Enqueued> outcomes(jobs.size());
  std::mutex mutex;
  std::condition_variable all;
  std::size_t left = jobs.size();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    enqueue_async(std::move(jobs[i]), [&, i](const Enqueued& outcome) {
      const std::lock_guard lock(mutex);
      outcomes[i] = outcome;
      if (--left == 0) all.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  all.wait(lock, [&left] { return left == 0; });
  return outcomes;
}

void Producer::enqueue_async(Job job, Done done) {
  impl_->submit(std::move(job), std::move(done), true);
}
bool Producer::try_enqueue_async(Job job, Done done) {
  return impl_->submit(std::move(job), std::move(done), false);
}
bool Producer::flush(std::chrono::milliseconds timeout) { return impl_->flush(timeout); }
bool Producer::connected() const { return impl_->connected(); }

}  // namespace millrace
