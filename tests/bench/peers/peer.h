// The interface of a peer for bench_peer: three functions. Each speaks the peer's own protocol as a
// careful user would: pipelined where it allows that, acknowledged after the handler, in batches
// where it has them.
#pragma once

#include "../options.h"
#include "../tally.h"

#include <algorithm>
#include <cstdio>
#include <string>

namespace millrace::bench {

struct Peer {
  void (*setup)(const Options&);            // what must be there before producer and workers
  void (*produce)(const Options&, Tally&);  // jobs=N payload=B window=JOBS, all answered
  void (*work)(const Options&, Tally&);     // says "ready", completes jobs until the tally is full
};

extern const Peer beanstalkd, gearmand, nats, redis_streams;
extern const Peer rabbitmq, rabbitmq_quorum;  // where librabbitmq is there
extern const Peer skip_locked;                // where libpq is there

inline constexpr int look_ms = 50;  // between looks whether the tally is full

inline void say_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

// Keeps at most window jobs unanswered: send(n) sends some of at most n, answers() waits for some.
template <typename Send, typename Answers>
void keep_window(const Options& options, Send send, Answers answers) {
  const std::uint64_t jobs = options.number("jobs"), window = options.number("window", 4'096);
  for (std::uint64_t sent = 0, answered = 0; answered < jobs;) {
    while (sent < jobs && sent - answered < window) {
      sent += send(std::min(jobs - sent, window - (sent - answered)));
    }
    answered += answers();
  }
}

}  // namespace millrace::bench
