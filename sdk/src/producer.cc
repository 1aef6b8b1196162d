// Jobs are collected into batches while earlier batches are in flight; a batch keeps its number
// until it is answered, however often it is sent.
#include <millrace/producer.h>

#include "connection_core.h"
#include "id_file.h"
#include "job_messages.h"
#include "job_queue.h"
#include "options.h"
#include "payload_encryption.h"
#include "wire/codec.h"
#include "wire/error_codes.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

namespace millrace {
namespace {

constexpr std::size_t batch_bytes_max = 4U << 20;

struct Batch {
  std::string topic;
  std::uint16_t partition = 0;
  std::uint64_t number = 0;
  PendingList jobs;
  std::uint64_t correlation = 0;
  int unanswered = 0;            // attempts whose outcome is unknown: they may have stored the jobs
  std::optional<Error> refusal;  // the last, when it was asked to wait
  Clock::time_point sent{};
  Clock::time_point not_before{};  // asked to wait: nothing was stored
};

// Jobs of one topic that are in no batch yet. Those of a partition stay in order, for it has whole
// keys; those without a key go anywhere.
struct Waiting {
  using Lane = std::optional<std::uint16_t>;  // a partition, or none: without a key
  PendingList arrived;                        // not yet in a lane
  std::map<Lane, PendingList> lanes;
  std::optional<Lane> last;  // the lane of the last batch, so that lanes take turns

  [[nodiscard]] bool empty() const { return arrived.empty() && lanes.empty(); }
  void sort(std::uint16_t partitions) {
    while (!arrived.empty()) {
      const std::string& key = arrived.front().job.key;
      const Lane lane = key.empty() ? Lane() : Lane(wire::partition_of(key, partitions));
      const auto end = std::find_if(std::next(arrived.begin()), arrived.end(),
                                    [&key](const Pending& p) { return p.job.key != key; });
      PendingList& to = lanes[lane];
      to.splice(to.end(), arrived, arrived.begin(), end);
    }
  }
  // The lane whose turn it is; there is one.
  [[nodiscard]] std::map<Lane, PendingList>::iterator next() {
    const auto after = last ? lanes.upper_bound(*last) : lanes.begin();
    return after == lanes.end() ? lanes.begin() : after;
  }
};

// Names the job whose callback threw, for the log.
std::string callback_of(const Job& job, const Enqueued& told) {
  std::string words = "the callback of a job of topic '" + job.topic + "'";
  if (!job.key.empty()) words += " with key '" + job.key + "'";
  if (told.outcome == Outcome::stored) return words + ", stored as " + told.id.str();
  const bool unknown = told.outcome == Outcome::unknown;
  return words + (unknown ? ", outcome unknown" : ", rejected: " + told.error.message);
}

Error waits_for_itself(const char* call) {
  return {
      ErrorCode::invalid,
      std::string(call) +
          " would wait for itself inside a callback of the same Producer: nothing was sent; use "
          "enqueue_async()",
      {}};
}

std::string encode_batch(const Batch& batch, const wire::Id& producer, std::uint64_t epoch,
                         std::uint64_t answered) {
  wire::Enqueue body;
  body.topic = batch.topic;
  body.partition = batch.partition;
  body.producer = producer;
  body.epoch = epoch;
  body.batch = batch.number;
  body.answered = answered;
  body.jobs.reserve(batch.jobs.size());
  std::deque<std::string> texts;  // what the views of the body see
  for (const Pending& p : batch.jobs) body.jobs.push_back(message_of(p.job, &texts));
  return wire::encode(body);
}

}  // namespace

class Producer::Impl : Link::User {
 public:
  explicit Impl(ProducerOptions options)
      : options_(std::move(options)),
        queue_(options_.in_flight_jobs_max, options_.in_flight_bytes_max),
        connection_(connection_of(options_.connection, options_.shared_connection)) {
    if (inherited()) return;
    wrong_ = connection_->wrong();
    if (!wrong_) wrong_ = misfit(options_);
    if (!wrong_) wrong_ = take_identity();
    if (!wrong_) wrong_ = connection_->loop().start();
    if (wrong_) {
      report(settings(), LogLevel::error, "the Producer cannot start: " + wrong_->message);
      return;
    }
    link_ = &connection_->shared_link(wire::Role::producer);
    link_->add(*this);
  }
  ~Impl() override {
    if (in_callback())
      misuse("a Producer is destroyed inside a callback of its own or of its shared Connection");
    if (!wrong_) (void)queue_.wait_empty(options_.flush_at_destruction);
    if (link_ != nullptr) link_->remove(*this);
    const EventLoop::Inside callbacks(connection_->loop());
    ended_ = true;
    for (auto& [shard, batches] : open_) {
      for (auto& [number, batch] : batches) end_unanswered(batch);
    }
    for (auto& [topic, waiting] : waiting_) {
      reject_unsent(std::move(waiting.arrived));
      for (auto& [lane, jobs] : waiting.lanes) reject_unsent(std::move(jobs));
    }
    reject_unsent(queue_.take_all());
  }

  // Each of these looks first whether the process is the one that made the Producer: in a child a
  // lock may be held by a thread that is not there.
  [[nodiscard]] bool inherited() const { return connection_->inherited(); }
  [[nodiscard]] bool in_callback() const { return connection_->here(); }

  bool submit(Job&& job, Done&& done, bool wait) {
    if (auto refused = refusal(&job)) {
      tell(job, done, {Outcome::rejected, {}, std::move(*refused)});
      return true;
    }
    using Room = JobQueue::Room;
    const Room room = !wait ? Room::now : in_callback() ? Room::beyond : Room::awaited;
    const auto put = queue_.put(std::move(job), std::move(done), after(options_.deadline), room);
    if (put == JobQueue::Put::first) connection_->loop().wake();
    if (put != JobQueue::Put::no_room) return true;
    // NOLINTBEGIN(bugprone-use-after-move): with no_room they are still ours
    if (wait) tell(job, done, {Outcome::rejected, {}, no_room_in_callback()});
    // NOLINTEND(bugprone-use-after-move)
    return wait;
  }

  bool flush(std::chrono::milliseconds timeout) {
    return !inherited() && !in_callback() && queue_.wait_empty(timeout);
  }
  [[nodiscard]] bool connected() const {
    return !inherited() && link_ != nullptr && link_->all_ready();
  }

 private:
  [[nodiscard]] const ConnectionOptions& settings() const { return connection_->options(); }
  [[nodiscard]] std::optional<Error> take_identity() {
    if (options_.id_file.empty()) return std::nullopt;
    auto wrong = id_file_.take(options_.id_file);
    producer_ = id_file_.id();
    epoch_ = id_file_.epoch();
    return wrong;
  }
  [[nodiscard]] std::optional<Error> refusal(Job* job) const {
    if (inherited()) return made_before_fork("Producer");
    if (wrong_) return wrong_;
    if (ended_) return Error{ErrorCode::unavailable, "the Producer is being destroyed", {}};
    if (auto refused = refused_by_middleware(job)) return refused;
    if (!options_.middleware.empty() && inherited()) return made_before_fork("Producer");
    if (auto wrong = misfit(*job)) return wrong;
    return options_.payload_keys.empty() ? std::nullopt : encrypt(options_.payload_keys, job);
  }
  // User code.
  [[nodiscard]] std::optional<Error> refused_by_middleware(Job* job) const {
    try {
      for (const EnqueueMiddleware& middleware : options_.middleware) {
        if (auto may = middleware(*job); !may) return std::move(may.error());
      }
    } catch (const std::exception& e) {
      return invalid(std::string("the middleware of the Producer threw: ") + e.what());
    } catch (...) {
      return invalid(
          "the middleware of the Producer threw an exception that is not a std::exception");
    }
    return std::nullopt;
  }
  [[nodiscard]] static Error no_room_in_callback() {
    return {ErrorCode::overloaded,
            "the unanswered jobs exceed twice in_flight_jobs_max or in_flight_bytes_max, and a "
            "callback "
            "cannot wait: enqueue the job later, or from a thread of your own",
            {}};
  }

  // Runs user code: after an exception the other callbacks still run.
  void tell(const Job& job, const Done& done, const Enqueued& outcome) const {
    if (!done) return;
    const bool was_inherited = inherited();
    try {
      done(outcome);
    } catch (const std::exception& e) {
      report(settings(), LogLevel::error, callback_of(job, outcome) + ", threw: " + e.what());
    } catch (...) {
      report(settings(), LogLevel::error,
             callback_of(job, outcome) + ", threw an exception that is not a std::exception");
    }
    if (in_callback() && !was_inherited && inherited()) end_child("callback");
  }

  // The seq of each job is one above that of the job before it.
  void answer(PendingList&& jobs, Enqueued outcome) {
    for (Pending& pending : jobs) {
      tell(pending.job, pending.done, outcome);
      ++outcome.id.seq;
    }
    queue_.give_back(std::move(jobs));
  }
  void reject_unsent(PendingList&& jobs) {
    answer(std::move(jobs),
           {Outcome::rejected,
            {},
            {ErrorCode::unavailable,
             reached_ ? "the brokers did not accept the earlier jobs in time: this job was not sent"
                      : "no broker could be reached at " + settings().brokers.front() +
                            ": nothing was sent",
             {}}});
  }
  void end_unanswered(Batch& batch) {
    sent_.erase(batch.correlation);
    if (batch.unanswered == 0 && batch.refusal) {
      return answer(std::move(batch.jobs), {Outcome::rejected, {}, std::move(*batch.refusal)});
    }
    answer(std::move(batch.jobs), {Outcome::unknown,
                                   {},
                                   {ErrorCode::outcome_unknown,
                                    "the broker did not answer in time: the job may be stored",
                                    {}}});
  }

  // A run of jobs of one topic moves at once.
  void sort_by_topic(PendingList&& arrived) {
    while (!arrived.empty()) {
      const std::string& topic = arrived.front().job.topic;
      const auto end = std::find_if(std::next(arrived.begin()), arrived.end(),
                                    [&topic](const Pending& p) { return p.job.topic != topic; });
      PendingList& to = waiting_[topic].arrived;
      to.splice(to.end(), arrived, arrived.begin(), end);
    }
  }

  void on_turn(Clock::time_point now) override {
    reached_ = link_->topology().known();
    sort_by_topic(queue_.take_all());
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      expire_waiting(at->second, now);
      send_waiting(at->first, at->second);
      at = at->second.empty() ? waiting_.erase(at) : std::next(at);
    }
    for (auto& [shard, batches] : open_) {
      for (auto at = batches.begin(); at != batches.end();) {
        Batch& batch = at->second;
        if (batch.jobs.front().deadline <= now) {
          end_unanswered(batch);
          at = batches.erase(at);
          continue;
        }
        if (batch.not_before != Clock::time_point{} && batch.not_before <= now) {
          batch.not_before = {};
          send(shard, batch);
        } else if (batch.not_before == Clock::time_point{} && link_->ready(shard) &&
                   now - batch.sent > settings().reply_patience) {
          link_->reconnect(shard);  // a reply was lost: on_ready sends again
        }
        ++at;
      }
    }
  }

  [[nodiscard]] bool idle() override {
    return waiting_.empty() && std::all_of(open_.begin(), open_.end(),
                                           [](const auto& entry) { return entry.second.empty(); });
  }

  void expire_waiting(Waiting& waiting, Clock::time_point now) {
    PendingList late;
    const auto take_late = [&late, now](PendingList& jobs) {
      while (!jobs.empty() && jobs.front().deadline <= now) {
        late.splice(late.end(), jobs, jobs.begin());
      }
    };
    take_late(waiting.arrived);
    for (auto& [lane, jobs] : waiting.lanes) take_late(jobs);
    std::erase_if(waiting.lanes, [](const auto& entry) { return entry.second.empty(); });
    if (!late.empty()) reject_unsent(std::move(late));
  }

  void send_waiting(const std::string& topic, Waiting& waiting) {
    if (waiting.empty() || !link_->topology().known()) return;
    const auto* owners = link_->topology().topic(topic);
    if (owners == nullptr) return link_->ask_topology({topic});
    waiting.sort(static_cast<std::uint16_t>(owners->size()));
    // Until no lane has a shard with free capacity.
    for (std::size_t held = 0; held < waiting.lanes.size();) {
      const auto at = waiting.next();
      waiting.last = at->first;
      const auto partition = place(at->first, *owners);
      if (!partition) {
        ++held;
        continue;
      }
      held = 0;
      send_batch(topic, *partition, (*owners)[*partition], at->second);
      if (at->second.empty()) waiting.lanes.erase(at);
    }
  }
  [[nodiscard]] bool has_room(std::size_t shard) {
    return link_->ready(shard) && open_[shard].size() < wire::batches_open_max;
  }
  // Jobs without a key rotate over the partitions, except those whose shard has no free capacity.
  std::optional<std::uint16_t> place(const Waiting::Lane& lane,
                                     const std::vector<std::size_t>& owners) {
    if (lane) return has_room(owners[*lane]) ? lane : std::nullopt;
    for (std::size_t i = 0; i < owners.size(); ++i) {
      const std::size_t partition = next_partition_++ % owners.size();
      if (has_room(owners[partition])) return static_cast<std::uint16_t>(partition);
    }
    return std::nullopt;
  }
  void send_batch(const std::string& topic, std::uint16_t partition, std::size_t shard,
                  PendingList& from) {
    Batch batch{.topic = topic, .partition = partition, .number = ++numbers_[shard]};
    std::size_t bytes = 0;
    while (!from.empty() && batch.jobs.size() < options_.batch_jobs_max &&
           batch.jobs.size() < wire::batch_max && bytes < batch_bytes_max) {
      bytes += from.front().bytes();
      batch.jobs.splice(batch.jobs.end(), from, from.begin());
    }
    const std::uint64_t number = batch.number;
    send(shard, open_[shard][number] = std::move(batch));
  }

  void send(std::size_t shard, Batch& batch) {
    if (!link_->ready(shard)) return;
    batch.sent = Clock::now();
    ++batch.unanswered;
    sent_.erase(batch.correlation);  // an answer to an earlier sending is lost, or comes again
    const std::uint64_t answered = open_[shard].begin()->first - 1;
    batch.correlation = link_->send(*this, shard, wire::Verb::enqueue,
                                    encode_batch(batch, producer_, epoch_, answered));
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
      answer(std::move(batch.jobs),
             {Outcome::stored, {batch.topic, batch.partition, ok->first_seq}, {}});
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
    --batch.unanswered;  // this sending stored nothing
    const ErrorCode code = wire::parse_code(error.code).value_or(ErrorCode::invalid);
    const std::chrono::milliseconds wait(
        std::clamp<std::uint64_t>(error.retry_after_ms, 50, 5'000));
    // Nothing was stored: the same batch again, a little later, within its deadline.
    if (code == ErrorCode::overloaded || code == ErrorCode::shutting_down) {
      batch.not_before = Clock::now() + wait;
      batch.refusal = Error{code, std::string(error.message), wait};
      return;
    }
    if (code == ErrorCode::not_owner) {
      link_->topology().forget(batch.topic);
      const bool keyed = !batch.jobs.front().job.key.empty();
      PendingList& to =
          waiting_[batch.topic].lanes[keyed ? Waiting::Lane(batch.partition) : Waiting::Lane()];
      to.splice(to.begin(), batch.jobs);
      open_[shard].erase(at);
      return;
    }
    // An earlier sending may have been stored before a newer producer with our id came.
    const bool unknown =
        code == ErrorCode::duplicate || (code == ErrorCode::stale && batch.unanswered > 0);
    answer(std::move(batch.jobs),
           {unknown ? Outcome::unknown : Outcome::rejected,
            {},
            {code, std::string(error.message), span_of(error.retry_after_ms)}});
    open_[shard].erase(at);
  }

  ProducerOptions options_;
  std::optional<Error> wrong_;  // with the options; fixed by the constructor
  bool ended_ = false;          // set by the destructor, after the loop has let go
  IdFile id_file_;
  wire::Id producer_ = random_id();  // with its epoch fixed by the constructor
  std::uint64_t epoch_ = 1;
  JobQueue queue_;
  const ConnectionRef connection_;
  Link* link_ = nullptr;  // null: nothing is ever sent
  // The loop's thread only.
  std::map<std::string, Waiting> waiting_;
  std::map<std::size_t, std::map<std::uint64_t, Batch>> open_;  // by shard and number
  std::map<std::size_t, std::uint64_t> numbers_;
  std::map<std::uint64_t, std::pair<std::size_t, std::uint64_t>> sent_;
  std::size_t next_partition_ = 0;
  bool reached_ = false;  // a broker has said which shards there are
};

Producer::Producer(ProducerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
// In a child of fork(): leaked on purpose, for all that it would close is the parent's too.
Producer::~Producer() {
  if (!impl_->inherited()) return;
  [[maybe_unused]] const Impl* const parents = impl_.release();
}

Enqueued Producer::enqueue(Job job) {
  std::vector<Job> one;
  if (!impl_->inherited() && impl_->in_callback()) {
    return {Outcome::rejected, {}, waits_for_itself("enqueue()")};
  }
  one.push_back(std::move(job));
  return std::move(enqueue_all(std::move(one)).front());
}

std::vector<Enqueued> Producer::enqueue_all(std::vector<Job> jobs) {
  if (!impl_->inherited() && impl_->in_callback()) {
    return {jobs.size(), {Outcome::rejected, {}, waits_for_itself("enqueue_all()")}};
  }
  struct {
    std::vector<Enqueued> outcomes;
    std::mutex mutex;
    std::condition_variable all;
    std::size_t left;
  } wait{std::vector<Enqueued>(jobs.size()), {}, {}, jobs.size()};
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    enqueue_async(std::move(jobs[i]), [&wait, i](const Enqueued& outcome) {
      const std::lock_guard lock(wait.mutex);
      wait.outcomes[i] = outcome;
      if (--wait.left == 0) wait.all.notify_all();
    });
  }
  std::unique_lock lock(wait.mutex);
  wait.all.wait(lock, [&wait] { return wait.left == 0; });
  return std::move(wait.outcomes);
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
