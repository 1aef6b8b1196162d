#include "load_modes.h"

#include "load_client.h"
#include "pace.h"
#include "payload.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>

namespace millrace::bench {
namespace {

// A worker's session: what it was given, and what of that has been answered as completed. It never
// asks for more credit than it may still use.
class Settling {
 public:
  Settling(LoadClient& broker, std::uint64_t credit, std::uint64_t jobs_max, Samples& samples)
      : broker_(broker), samples_(samples), open_{0} {  // SUBSCRIBE settles nothing
    const std::uint64_t first = std::min(credit, jobs_max);
    left_ = jobs_max - first;
    broker.send(wire::Verb::subscribe,
                wire::encode(wire::Subscribe{.topics = {load_topic}, .credit = first}));
  }
  // Takes one message: settles the jobs of a DELIVER, or returns how many outcomes an OK confirms.
  std::uint64_t take(wire::Verb verb) {
    if (verb == wire::Verb::deliver) {
      settle();
      return 0;
    }
    if (verb != wire::Verb::ok || open_.empty()) {
      give_up("the broker said " + std::string(wire::verb_name(static_cast<std::uint64_t>(verb))));
    }
    const std::uint64_t confirmed = open_.front();
    if (confirmed > 0 && !broker_.decoded<wire::SettleOk>().stale.empty()) {
      give_up("an outcome was stale");
    }
    open_.pop_front();
    return confirmed;
  }

 private:
  void settle() {
    const auto delivered = broker_.decoded<wire::Deliver>();
    add_ages(delivered, samples_);
    wire::Settle settle{.credit = std::min<std::uint64_t>(delivered.jobs.size(), left_)};
    for (const auto& job : delivered.jobs) settle.outcomes.push_back({.token = job.token});
    left_ -= settle.credit;
    broker_.send(wire::Verb::settle, wire::encode(settle));
    open_.push_back(settle.outcomes.size());
  }

  LoadClient& broker_;
  Samples& samples_;
  std::deque<std::uint64_t> open_;  // outcomes in each message that is not answered
  std::uint64_t left_ = 0;          // credit that may still be granted
};

}  // namespace

void produce(const Options& options, Tally& tally) {
  Context context;
  LoadClient broker(context, options.text("endpoint"), wire::Role::producer);
  const std::uint64_t jobs = options.number("jobs"), batch = options.number("batch", 128);
  const std::uint64_t window = options.number("window", 32);
  Payload payload(options.number("payload", 256));
  const Pace pace(options.number("pace"));
  tally.begin();
  std::deque<std::uint64_t> open;  // jobs in each batch that is not answered
  for (std::uint64_t sent = 0, batches = 0, answered = 0; answered < jobs;) {
    while (sent < jobs && open.size() < window && pace.due(sent)) {
      const std::uint64_t count = std::min(batch, jobs - sent);
      broker.enqueue(load_topic, ++batches % load_partitions,
                     std::vector<wire::NewJob>(count, {.payload = payload.made_now()}),
                     open.size());
      open.push_back(count);
      sent += count;
    }
    wire::Verb verb{};
    if (broker.receive(verb, pace.wait_ms(sent, jobs))) {
      if (verb != wire::Verb::ok) continue;
      answered += open.front();
      open.pop_front();
    } else if (!pace.paces()) {
      give_up("the broker did not answer");
    }
  }
  std::printf("{\"per_s\": %.1f}\n", static_cast<double>(jobs) / tally.seconds_since_begin());
}

void one_by_one(const Options& options, Tally& tally) {
  const std::uint64_t jobs = options.number("jobs"), producers = options.number("producers", 1);
  Context context;
  std::vector<std::unique_ptr<LoadClient>> each;
  std::vector<zmq_pollitem_t> items;
  for (std::uint64_t i = 0; i < producers; ++i) {
    each.push_back(
        std::make_unique<LoadClient>(context, options.text("endpoint"), wire::Role::producer));
    items.push_back({each.back()->link().raw(), 0, ZMQ_POLLIN, 0});
  }
  Payload payload(options.number("payload", 256));
  Samples samples(options.text("samples"));
  std::vector<std::uint64_t> sent_ns(producers);
  std::uint64_t sent = 0;
  const auto send = [&](std::size_t at) {
    if (sent == jobs) return;
    sent_ns[at] = now_ns();
    each[at]->enqueue(load_topic, sent++ % load_partitions, {{.payload = payload.made_now()}}, 0);
  };
  tally.begin();
  for (std::size_t at = 0; at < each.size(); ++at) send(at);
  for (std::uint64_t answered = 0; answered < jobs;) {
    if (zmq_poll(items.data(), static_cast<int>(items.size()), patience_ms) <= 0) {
      give_up("the broker did not answer");
    }
    for (std::size_t at = 0; at < each.size(); ++at) {
      if ((items[at].revents & ZMQ_POLLIN) == 0) continue;
      each[at]->receive_ok();
      samples.add_ns(now_ns() - sent_ns[at]);
      ++answered;
      send(at);
    }
  }
  const double per_s = static_cast<double>(jobs) / tally.seconds_since_begin();
  samples.write();
  std::printf("{\"per_s\": %.1f, \"median_us\": %u, \"p99_us\": %u}\n", per_s,
              samples.quantile(0.5), samples.quantile(0.99));
}

void work(const Options& options, Tally& tally) {
  constexpr int look_ms = 50;
  constexpr std::uint64_t unbounded = ~std::uint64_t{0};
  Context context;
  LoadClient broker(context, options.text("endpoint"), wire::Role::worker);
  Samples samples(options.text("samples"));
  Settling settling(broker, options.number("credit", 4'096), unbounded, samples);
  wire::Verb verb{};
  if (!broker.receive(verb)) give_up("the broker did not answer");
  settling.take(verb);
  std::puts("ready");
  std::fflush(stdout);
  while (!tally.finished()) {
    if (!broker.receive(verb, look_ms)) continue;
    if (const std::uint64_t done = settling.take(verb); done > 0) tally.add(done);
  }
  samples.write();
}

void drain(const Options& options) {
  const std::uint64_t jobs = options.number("jobs"), credit_max = options.number("credit", 4'096);
  const std::uint64_t share = options.number("share", jobs);
  double took = 0;
  Context context;
  for (std::uint64_t drained = 0; drained < jobs;) {
    const std::uint64_t wanted = std::min(share, jobs - drained);
    LoadClient broker(context, options.text("endpoint"), wire::Role::worker);
    Samples samples({});
    const double begun = seconds();
    Settling settling(broker, credit_max, wanted, samples);
    std::uint64_t done = 0;
    for (wire::Verb verb{}; done < wanted; done += settling.take(verb)) {
      if (!broker.receive(verb)) give_up("the broker did not answer");
    }
    took += seconds() - begun;
    drained += wanted;
  }
  std::printf("{\"per_s\": %.1f}\n", static_cast<double>(jobs) / took);
}

void take(const Options& options) {
  const std::uint64_t jobs = options.number("jobs");
  Context context;
  LoadClient broker(context, options.text("endpoint"), wire::Role::worker);
  broker.send(wire::Verb::subscribe,
              wire::encode(wire::Subscribe{.topics = {load_topic}, .credit = jobs}));
  for (std::uint64_t came = 0; came < jobs;) {
    wire::Verb verb{};
    if (!broker.receive(verb)) give_up("the broker did not deliver");
    if (verb == wire::Verb::deliver) came += broker.decoded<wire::Deliver>().jobs.size();
  }
  std::puts("delivered");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

void status(const Options& options) {
  Context context;
  LoadClient broker(context, options.text("endpoint"), wire::Role::client);
  broker.send(wire::Verb::status, wire::encode(wire::Empty{}));
  broker.receive_ok();
  const auto view = broker.decoded<wire::ShardView>();
  std::printf("{\"commits\": %llu, \"batch_mean\": %.2f}\n",
              static_cast<unsigned long long>(view.commits), view.batch_mean);
}

}  // namespace millrace::bench
