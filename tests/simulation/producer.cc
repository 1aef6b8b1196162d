#include "producer.h"

#include "wire/codec.h"

#include <algorithm>

namespace millrace::testing {
namespace {

constexpr std::size_t open_max = 2;
constexpr std::int64_t again_ms = 100;

}  // namespace

Producer::Producer(Surroundings& around, std::size_t index, std::size_t jobs)
    : Client(around, index, "p" + std::to_string(index)), jobs_(jobs), id_(session()) {}

void Producer::say_hello() {
  wire::Hello message;
  message.role = wire::Role::producer;
  message.session = session();
  message.name = name_;
  hello(message);
}

void Producer::welcomed(const wire::HelloOk& /*answer*/) {
  for (Batch& batch : open_batches_) send(batch);
}

// The id lives on, with a higher epoch; nobody knows any more what was open.
void Producer::forget() {
  give_up();
  batches_ = 0;
}

void Producer::give_up() {
  while (!open_batches_.empty()) end(open_batches_.begin(), EventKind::unknown, {});
}

Producer::Job Producer::make_job(const std::string& key) {
  const Plan& plan = around_.plan;
  Job job;
  job.tag = name_ + "-" + std::to_string(++made_);
  job.payload = job.tag + " " + std::string(draw(0, 40), 'x');
  if (percent(3)) job.payload += std::string(draw(1'000, 9'000), 'y');
  job.key = key;
  job.priority = 5 - draw(0, plan.priorities - 1);
  if (percent(plan.due_percent)) {
    job.run_at_ms = static_cast<std::uint64_t>(around_.wall_ms + draw_ms(1, 900));
  }
  if (percent(20)) job.attempts_max = draw(1, 4);
  HistoryEvent event;
  event.kind = EventKind::enqueue;
  event.tag = job.tag;
  event.by = process();
  event.topic = "t";
  event.key = key;
  event.priority = static_cast<std::uint32_t>(job.priority);
  event.attempts_max = static_cast<std::uint32_t>(job.attempts_max.value_or(plan.attempts_max));
  if (job.run_at_ms) event.run_at_ms = static_cast<std::int64_t>(*job.run_at_ms);
  around_.recorder.add(std::move(event));
  return job;
}

void Producer::make_batch() {
  const Plan& plan = around_.plan;
  Batch batch;
  batch.number = ++batches_;
  const auto partitions = static_cast<std::uint16_t>(plan.partitions);
  const std::string key = percent(plan.key_percent) ? "k" + std::to_string(draw(0, 2)) : "";
  batch.partition = key.empty() ? static_cast<std::uint16_t>(draw(0, partitions - 1U))
                                : wire::partition_of(key, partitions);
  for (std::size_t i = draw(1, plan.batch_max); i > 0 && made_ < jobs_; --i) {
    batch.jobs.push_back(make_job(key));
  }
  open_batches_.push_back(std::move(batch));
  send(open_batches_.back());
}

void Producer::send(Batch& batch) {
  wire::Enqueue message;
  message.topic = "t";
  message.partition = batch.partition;
  message.producer = id_;
  message.epoch = life_;
  message.batch = batch.number;
  message.answered = open_batches_.front().number - 1;
  for (const Job& job : batch.jobs) {
    message.jobs.push_back(
        {job.payload, job.key, {}, job.priority, std::nullopt, job.run_at_ms, job.attempts_max});
  }
  ++batch.tries;
  batch.again_ms = 0;
  batch.correlation = ask(wire::Verb::enqueue, wire::encode(message));
}

std::deque<Producer::Batch>::iterator Producer::find(std::uint64_t correlation) {
  return std::find_if(open_batches_.begin(), open_batches_.end(),
                      [=](const Batch& batch) { return batch.correlation == correlation; });
}

void Producer::end(const std::deque<Batch>::iterator& batch, EventKind how, std::string_view code) {
  for (const Job& job : batch->jobs) {
    HistoryEvent event;
    event.kind = how;
    event.tag = job.tag;
    event.word = code;
    around_.recorder.add(std::move(event));
  }
  open_batches_.erase(batch);
}

void Producer::answered(std::uint64_t correlation, std::string_view body) {
  const auto batch = find(correlation);
  const auto answer = wire::decode<wire::EnqueueOk>(body);
  if (batch == open_batches_.end() || !answer) return;
  std::uint64_t seq = answer->first_seq;
  for (const Job& job : batch->jobs) {
    HistoryEvent event;
    event.kind = EventKind::enqueued;
    event.tag = job.tag;
    event.job = wire::job_text("t", batch->partition, seq++);
    around_.recorder.add(std::move(event));
  }
  open_batches_.erase(batch);
}

void Producer::refused(std::uint64_t correlation, std::string_view code) {
  const auto batch = find(correlation);
  if (batch == open_batches_.end()) return;
  // Only the first try, sent once, was certainly not stored.
  const bool certain = batch->tries == 1 && !around_.plan.has(FaultKind::duplicate);
  const bool passes = code == "disk_full" || code == "overloaded" || code == "shutting_down";
  if (certain) return end(batch, EventKind::refused, code);
  if (!passes) return end(batch, EventKind::unknown, {});
  batch->again_ms = now_ms() + again_ms;
}

void Producer::act() {
  for (Batch& batch : open_batches_) {
    if (batch.again_ms != 0 && batch.again_ms <= now_ms()) send(batch);
  }
  if (made_ >= jobs_ || open_batches_.size() >= open_max || now_ms() < next_ms_) return;
  make_batch();
  const auto pause_ms = 2 * around_.plan.jobs_until_ms *
                        static_cast<std::int64_t>(around_.plan.batch_max + 1) / 2 /
                        static_cast<std::int64_t>(std::max<std::size_t>(1, jobs_));
  next_ms_ = around_.faults_over ? now_ms() : now_ms() + draw_ms(0, pause_ms);
}

}  // namespace millrace::testing
