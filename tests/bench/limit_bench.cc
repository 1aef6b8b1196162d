// The limit pipeline: producer, store, workers, each a process, with no scheduling at all. Its rate
// is the upper bound for any broker over this SQLite and ZeroMQ.
//   bench_limit store producers=E workers=E folder=F tally=T jobs=N count=WORKERS
//   bench_limit work workers=E tally=T jobs=N [samples=F]
//   bench_limit produce producers=E tally=T jobs=N payload=B batch=N window=N [pace=JOBS_A_SECOND]
//   bench_limit one producers=E tally=T jobs=N payload=B samples=F     one at a time
#include "limit_frames.h"
#include "limit_store.h"
#include "options.h"
#include "pace.h"
#include "tally.h"
#include "zmq_link.h"

#include <algorithm>
#include <cstring>

namespace {

using namespace millrace::bench;
using namespace millrace::bench::limit;

// Begins with the time it was made, as Millrace's jobs do: the worker tells how old it is.
void send_jobs(Link& store, std::uint64_t first, std::uint64_t count, std::uint64_t payload_bytes) {
  Frame frame = frame_of(
      {first, static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(payload_bytes)},
      payload_bytes * count);
  char* at = frame.data() + sizeof(Header);
  std::memset(at, 'p', payload_bytes * count);
  const std::uint64_t made_ns = now_ns();
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(at + i * payload_bytes, &made_ns, std::min<std::size_t>(payload_bytes, 8));
  }
  store.send(std::move(frame));
}

void produce(const Options& options, Tally& tally) {
  Context context;
  Link store(context, ZMQ_DEALER);
  store.connect(options.text("producers"));
  const std::uint64_t jobs = options.number("jobs"), batch = options.number("batch", 128);
  const std::uint64_t payload = options.number("payload", 256);
  const std::uint64_t window = options.number("window", 32) * batch;
  Pace pace(options.number("pace"));
  tally.begin();
  for (std::uint64_t sent = 0, answered = 0; answered < jobs;) {
    while (sent < jobs && sent - answered < window && pace.due(sent)) {
      const std::uint64_t count = std::min(batch, jobs - sent);
      send_jobs(store, sent + 1, count, payload);
      sent += count;
    }
    Frame answer;
    if (store.receive(answer, pace.wait_ms(sent, jobs))) {
      answered += header_of(answer).count;
    } else if (!pace.paces()) {
      give_up("the store of the limit pipeline did not answer");
    }
  }
}

void one_by_one(const Options& options, Tally& tally) {
  Context context;
  Link store(context, ZMQ_DEALER);
  store.connect(options.text("producers"));
  Samples samples(options.text("samples"));
  tally.begin();
  for (std::uint64_t job = 1; job <= options.number("jobs"); ++job) {
    const std::uint64_t before = now_ns();
    send_jobs(store, job, 1, options.number("payload", 256));
    Frame answer;
    if (!store.receive(answer)) give_up("the store of the limit pipeline did not answer");
    samples.add_ns(now_ns() - before);
  }
  samples.write();
}

void work(const Options& options, const Tally& tally) {
  constexpr int look_ms = 50;
  Context context;
  Link store(context, ZMQ_DEALER);
  store.connect(options.text("workers"));
  store.send(frame_of({}));
  Samples samples(options.text("samples"));
  while (!tally.finished()) {
    Frame frame;
    if (!store.receive(frame, look_ms)) continue;
    const Header header = header_of(frame);
    const char* at = frame.data() + sizeof header;
    for (std::uint32_t i = 0; i < header.count && header.payload_bytes >= 8; ++i) {
      std::uint64_t made_ns = 0;
      std::memcpy(&made_ns, at + std::size_t{i} * header.payload_bytes, sizeof made_ns);
      samples.add_ns(now_ns() - made_ns);
    }
    store.send(frame_of({header.first, header.count, 0}));
  }
  samples.write();
}

}  // namespace

int main(int count, char** arguments) {
  const Options options(count, arguments,
                        {"producers", "workers", "folder", "tally", "jobs", "count", "payload",
                         "batch", "window", "pace", "samples"});
  Tally tally(options.text("tally"), options.number("jobs"));
  if (options.mode() == "store") {
    run_store({options.text("producers"), options.text("workers"), options.text("folder"),
               options.number("count", 2), options.number("jobs")},
              tally);
  } else if (options.mode() == "work") {
    work(options, tally);
  } else if (options.mode() == "produce") {
    produce(options, tally);
  } else if (options.mode() == "one") {
    one_by_one(options, tally);
  } else {
    wrong_usage("the mode is store, work, produce or one");
  }
}
