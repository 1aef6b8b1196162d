#include "fleet_modes.h"

#include "load_client.h"
#include "pace.h"
#include "payload.h"

#include <sys/epoll.h>
#include <unistd.h>
#include <array>
#include <cstdio>
#include <memory>

namespace millrace::bench {
namespace {

constexpr std::uint64_t open_max = 64;  // the protocol's bound of a producer's open batches
constexpr std::uint16_t partitions = 8;

std::string topic_name(std::uint64_t at) { return "fleet-" + std::to_string(at); }

// Keeps to the window; true when an answer was taken.
bool take_answer(LoadClient& broker, int wait_ms) {
  wire::Verb verb{};
  return broker.receive(verb, wait_ms) && verb == wire::Verb::ok;
}

// A worker session that completes at once what it is given.
class FleetWorker {
 public:
  FleetWorker(Context& context, const std::string& endpoint, const std::vector<std::string>& topics)
      : broker_(context, endpoint, wire::Role::worker) {
    constexpr std::uint64_t credit = 16;
    wire::Subscribe subscribe{.credit = credit};
    for (const auto& topic : topics) subscribe.topics.emplace_back(topic);
    broker_.send(wire::Verb::subscribe, wire::encode(subscribe));
  }
  [[nodiscard]] int fd() {
    int fd = -1;
    std::size_t size = sizeof fd;
    zmq_getsockopt(broker_.link().raw(), ZMQ_FD, &fd, &size);
    return fd;
  }
  // Its descriptor tells only once of what has come: takes all of it.
  void take_all(Tally& tally, Samples& samples) {
    for (wire::Verb verb{}; broker_.receive(verb, 0);) {
      if (verb != wire::Verb::deliver) continue;
      const auto delivered = broker_.decoded<wire::Deliver>();
      add_ages(delivered, samples);
      wire::Settle settle{.credit = delivered.jobs.size()};
      for (const auto& job : delivered.jobs) settle.outcomes.push_back({.token = job.token});
      broker_.send(wire::Verb::settle, wire::encode(settle));
      tally.add(delivered.jobs.size());
    }
  }

 private:
  LoadClient broker_;
};

}  // namespace

void fill_topics(const Options& options) {
  Context context;
  LoadClient broker(context, options.text("endpoint"), wire::Role::producer);
  const std::uint64_t topics = options.number("topics");
  const double begun = seconds();
  for (std::uint64_t sent = 0, answered = 0; answered < topics;) {
    for (; sent < topics && sent - answered < open_max; ++sent) {
      broker.enqueue(topic_name(sent), sent % partitions, {{.payload = "old"}}, sent - answered);
    }
    if (!take_answer(broker, patience_ms)) give_up("the broker did not answer");
    ++answered;
  }
  std::printf("{\"seconds\": %.3f}\n", seconds() - begun);
}

void spread(const Options& options) {
  Context context;
  LoadClient broker(context, options.text("endpoint"), wire::Role::producer);
  const std::uint64_t jobs = options.number("jobs"), topics = options.number("topics");
  const std::uint64_t keys = options.number("keys");
  // A step that shares no divisor with the powers of ten: visits all of them, far from each other.
  constexpr std::uint64_t step = 7'919;
  Payload payload(options.number("payload", 256));
  const Pace pace(options.number("pace"));
  for (std::uint64_t sent = 0, answered = 0; answered < jobs;) {
    while (sent < jobs && sent - answered < open_max && pace.due(sent)) {
      const std::string key = "key-" + std::to_string(sent * step % keys);
      broker.enqueue(topic_name(sent * step % topics), wire::partition_of(key, partitions),
                     {{.payload = payload.made_now(), .key = key}}, sent - answered);
      ++sent;
    }
    if (take_answer(broker, pace.wait_ms(sent, jobs))) ++answered;
  }
}

void fleet(const Options& options, Tally& tally) {
  constexpr int look_ms = 50;
  const std::uint64_t workers = options.number("workers"), topics = options.number("topics");
  Context context;
  Samples samples(options.text("samples"));
  std::vector<std::unique_ptr<FleetWorker>> each;
  const int waiting = ::epoll_create1(EPOLL_CLOEXEC);
  for (std::uint64_t at = 0; at < workers; ++at) {
    std::vector<std::string> share;
    for (std::uint64_t topic = at; topic < topics; topic += workers) {
      share.push_back(topic_name(topic));
    }
    each.push_back(std::make_unique<FleetWorker>(context, options.text("endpoint"), share));
    epoll_event event{.events = EPOLLIN, .data = {.u64 = at}};
    ::epoll_ctl(waiting, EPOLL_CTL_ADD, each.back()->fd(), &event);
  }
  for (auto& worker : each) worker->take_all(tally, samples);
  bool ready = false;  // once the jobs that made the topics are gone
  while (!tally.finished()) {
    if (!ready && tally.done() >= topics) {
      ready = std::puts("ready") >= 0 && std::fflush(stdout) == 0;
    }
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(waiting, events.data(), events.size(), look_ms);
    for (int i = 0; i < count; ++i) {
      each[events[static_cast<std::size_t>(i)].data.u64]->take_all(tally, samples);
    }
  }
  ::close(waiting);
  samples.write();
}

}  // namespace millrace::bench
