// ZeroMQ alone: the cost of transporting the payloads, with a ROUTER that echoes each message.
//   bench_echo serve endpoint=E
//   bench_echo ask endpoint=E jobs=N payload=B batch=N window=N
// ask prints {"per_s": jobs a second}, there and back, then ends the other side.
#include "options.h"
#include "tally.h"
#include "zmq_link.h"

#include <algorithm>
#include <cstdio>

namespace {

using namespace millrace::bench;

void serve(const Options& options) {
  Context context;
  Link router(context, ZMQ_ROUTER);
  router.bind(options.text("endpoint"));
  std::puts("ready");
  std::fflush(stdout);
  for (Frame peer, body; router.receive(peer) && router.receive(body) && body.size() > 0;) {
    router.send(std::move(peer), ZMQ_SNDMORE);
    router.send(std::move(body));
  }
}

void ask(const Options& options) {
  Context context;
  Link dealer(context, ZMQ_DEALER);
  dealer.connect(options.text("endpoint"));
  const std::uint64_t batch = options.number("batch", 128), jobs = options.number("jobs", 100'000);
  const std::string payload(options.number("payload", 256) * batch, 'p');
  const std::uint64_t messages = std::max<std::uint64_t>(1, jobs / batch);
  const double begun = seconds();
  std::uint64_t sent = 0;
  for (std::uint64_t came = 0; came < messages; ++came) {
    for (; sent < messages && sent - came < options.number("window", 32); ++sent) {
      dealer.send(payload);
    }
    Frame body;
    if (!dealer.receive(body) || body.size() != payload.size()) give_up("the echo stopped");
  }
  const double took = seconds() - begun;
  dealer.send(std::string_view());
  std::printf("{\"per_s\": %.1f}\n", static_cast<double>(messages * batch) / took);
}

}  // namespace

int main(int count, char** arguments) {
  const Options options(count, arguments, {"endpoint", "jobs", "payload", "batch", "window"});
  if (options.mode() == "serve") {
    serve(options);
  } else if (options.mode() == "ask") {
    ask(options);
  } else {
    wrong_usage("the mode is serve or ask");
  }
}
