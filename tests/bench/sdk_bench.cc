// Load on a broker through the SDK: the rate that an application gets.
//   each with key=FILE where the broker requires keys
//   bench_sdk produce broker=E jobs=N payload=B producers=N window=JOBS tally=T [single=1]
//             [topic=T] [keys=N] [priorities=1] [delay_ms=N]
//   bench_sdk work    broker=E jobs=N tally=T concurrency=N prefetch=N [workers=N] [topic=T]
//             [result=BYTES]
//   bench_sdk idle    broker=E workers=N     connected until its standard input ends
//   bench_sdk encryption broker=E jobs=N payload=B   with payload keys and without, in turns
//   bench_sdk cost    broker=E producers=N [shared=1]   what they cost their process, as JSON
#include "options.h"
#include "tally.h"

#include <millrace/encryption.h>
#include <millrace/producer.h>
#include <millrace/worker.h>

#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace millrace;
using namespace millrace::bench;

void say_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

ConnectionOptions connection(const bench::Options& options) {
  return {.brokers = {options.text("broker")}, .key_file = options.text("key")};
}

// The jobs of one producer, as the options want them.
class Jobs {
 public:
  explicit Jobs(const bench::Options& options)
      : job_{.topic = options.text("topic", "bench"),
             .payload = std::string(options.number("payload", 256), 'p'),
             .delay = std::chrono::milliseconds(options.number("delay_ms"))},
        keys_(options.number("keys")),
        priorities_(options.number("priorities") != 0) {}
  Job next() {
    ++made_;
    if (keys_ > 0) job_.key = "key-" + std::to_string(made_ % keys_);
    if (priorities_) job_.priority = static_cast<int>(made_ % 10);
    return job_;
  }

 private:
  Job job_;
  std::uint64_t keys_, made_ = 0;
  bool priorities_;
};

void produce_jobs(const bench::Options& options, std::uint64_t jobs) {
  Producer producer(
      {.connection = connection(options), .in_flight_jobs_max = options.number("window", 4'096)});
  Jobs source(options);
  std::atomic<bool> well = true;
  if (options.number("single") != 0) {
    for (; jobs > 0; --jobs)
      well = well && producer.enqueue(source.next()).outcome == Outcome::stored;
  }
  for (; jobs > 0; --jobs) {
    producer.enqueue_async(source.next(), [&well](const Enqueued& enqueued) {
      if (enqueued.outcome != Outcome::stored) well = false;
    });
  }
  if (!producer.flush(std::chrono::minutes(5)) || !well) give_up("a job was not stored");
}

void produce(const bench::Options& options, Tally& tally) {
  const std::uint64_t producers = options.number("producers", 1);
  const std::uint64_t jobs = options.number("jobs");
  std::vector<std::thread> threads;
  tally.begin();
  for (std::uint64_t i = 0; i < producers; ++i) {
    const std::uint64_t share = jobs / producers + (i < jobs % producers ? 1 : 0);
    threads.emplace_back([&options, share] { produce_jobs(options, share); });
  }
  for (auto& thread : threads) thread.join();
  std::printf("{\"per_s\": %.1f}\n", static_cast<double>(jobs) / tally.seconds_since_begin());
}

// Connected workers, all with one handler.
std::vector<std::unique_ptr<Worker>> workers_of(const bench::Options& options,
                                                const WorkerOptions& each, std::uint64_t count,
                                                const Handler& handler) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::uint64_t i = 0; i < count; ++i) {
    workers.push_back(std::make_unique<Worker>(each));
    workers.back()->handle(options.text("topic", "bench"), handler);
    workers.back()->start();
  }
  const auto connected = [](const auto& worker) { return worker->connected(); };
  while (!std::all_of(workers.begin(), workers.end(), connected)) std::this_thread::yield();
  say_ready();
  return workers;
}

void work(const bench::Options& options, Tally& tally) {
  constexpr std::chrono::milliseconds look{50};
  const std::string result(options.number("result"), 'r');
  std::mutex mutex;
  std::condition_variable finished;
  const auto workers =
      workers_of(options,
                 {.connection = connection(options),
                  .concurrency = static_cast<int>(options.number("concurrency", 5)),
                  .prefetch = static_cast<int>(options.number("prefetch", 512))},
                 options.number("workers", 1), [&](JobContext&) {
                   tally.add(1);
                   if (tally.finished()) finished.notify_all();
                   return done(result);
                 });
  std::unique_lock lock(mutex);
  while (!tally.finished()) finished.wait_for(lock, look);
  lock.unlock();
  for (const auto& worker : workers) {
    if (!worker->stop()) give_up("the last outcomes could not be told");
  }
}

void idle(const bench::Options& options) {
  const auto workers =
      workers_of(options, {.connection = connection(options), .concurrency = 1},
                 options.number("workers", 100), [](JobContext&) { return done(); });
  while (std::getchar() != EOF) {
  }
}

long long entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator{});
}
long long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
  }
  return 0;
}

// Producers that have each stored a job and are connected, beside the process without them.
void cost(const bench::Options& options) {
  const auto threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd"),
             resident = resident_kib();
  std::shared_ptr<Connection> shared;
  if (options.number("shared") != 0) shared = std::make_shared<Connection>(connection(options));
  std::vector<std::unique_ptr<Producer>> producers;
  for (std::uint64_t i = 0; i < options.number("producers", 10); ++i) {
    ProducerOptions settings{.shared_connection = shared};
    if (!shared) settings.connection = connection(options);
    producers.push_back(std::make_unique<Producer>(std::move(settings)));
    if (producers.back()->enqueue(Jobs(options).next()).outcome != Outcome::stored) {
      give_up("a job was not stored");
    }
  }
  std::printf("{\"threads\": %lld, \"descriptors\": %lld, \"resident_kib\": %lld}\n",
              entries("/proc/self/task") - threads, entries("/proc/self/fd") - descriptors,
              resident_kib() - resident);
}

double processor_us() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(used.ru_utime) + us(used.ru_stime);
}

PayloadKeys new_payload_keys() {
  std::string folder = (std::filesystem::temp_directory_path() / "millrace-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) give_up("no temporary folder");
  const auto made = PayloadKeys::create(folder + "/keys");
  auto keys = PayloadKeys::read(folder + "/keys");
  std::filesystem::remove_all(folder);
  if (!made || !keys) give_up("no payload keys");
  return *keys;
}

// What a job costs its producer, by the processor time and by the clock, in microseconds.
struct JobCost {
  double processor = 0, clock = 0;
};

JobCost cost_of_jobs(Producer& producer, Jobs& source, std::uint64_t jobs) {
  const double before = processor_us();
  const auto begun = std::chrono::steady_clock::now();
  std::atomic<bool> good = true;
  for (std::uint64_t i = 0; i < jobs; ++i) {
    producer.enqueue_async(source.next(), [&good](const Enqueued& enqueued) {
      if (enqueued.outcome != Outcome::stored) good = false;
    });
  }
  if (!producer.flush(std::chrono::minutes(5)) || !good) give_up("a job was not stored");
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begun;
  const auto count = static_cast<double>(jobs);
  return {(processor_us() - before) / count, spent.count() / count};
}

void encryption(const bench::Options& options) {
  constexpr int rounds = 10;
  const std::uint64_t jobs = options.number("jobs", 100'000) / rounds;
  Producer open({.connection = connection(options)});
  Producer closed({.connection = connection(options), .payload_keys = new_payload_keys()});
  Jobs source(options);
  (void)cost_of_jobs(open, source, jobs);  // connected, and the broker's files have grown
  (void)cost_of_jobs(closed, source, jobs);
  JobCost plain, encrypted;
  for (int round = 0; round < rounds; ++round) {
    for (const auto& [producer, sum] : {std::pair{&open, &plain}, std::pair{&closed, &encrypted}}) {
      const JobCost cost = cost_of_jobs(*producer, source, jobs);
      sum->processor += cost.processor / rounds;
      sum->clock += cost.clock / rounds;
    }
  }
  std::printf(
      "{\"processor_us\": [%.2f, %.2f], \"processor_ratio\": %.2f, \"clock_us\": [%.2f, %.2f], "
      "\"clock_ratio\": %.2f}\n",
      plain.processor, encrypted.processor, encrypted.processor / plain.processor, plain.clock,
      encrypted.clock, encrypted.clock / plain.clock);
}

}  // namespace

int main(int count, char** arguments) {
  const bench::Options options(
      count, arguments,
      {"broker", "key", "jobs", "payload", "producers", "window", "tally", "single", "topic",
       "keys", "priorities", "delay_ms", "concurrency", "prefetch", "result", "workers", "shared"});
  if (options.mode() == "cost") return cost(options), 0;
  if (options.mode() == "encryption") return encryption(options), 0;
  Tally tally(options.text("tally"), options.number("jobs"));
  if (options.mode() == "produce") {
    produce(options, tally);
  } else if (options.mode() == "work") {
    work(options, tally);
  } else if (options.mode() == "idle") {
    idle(options);
  } else {
    wrong_usage("the mode is produce, work, idle, encryption or cost");
  }
}
