// Load on another queue, started by tests/bench/run on loopback.
//   bench_peer setup   peer=NAME port=P [db=URL]
//   bench_peer produce peer=NAME port=P jobs=N payload=B window=JOBS tally=T
//   bench_peer work    peer=NAME port=P jobs=N tally=T
#include "peer.h"

#include <map>

int main(int count, char** arguments) {
  using namespace millrace::bench;
  const Options options(count, arguments,
                        {"peer", "port", "db", "jobs", "payload", "window", "tally"});
  const std::map<std::string, const Peer*> peers{
      {"beanstalkd", &beanstalkd},
      {"gearmand", &gearmand},
      {"nats", &nats},
      {"redis_streams", &redis_streams},
#ifdef MILLRACE_BENCH_RABBITMQ
      {"rabbitmq", &rabbitmq},
      {"rabbitmq_quorum", &rabbitmq_quorum},
#endif
#ifdef MILLRACE_BENCH_POSTGRES
      {"skip_locked", &skip_locked},
#endif
  };
  const auto peer = peers.find(options.text("peer"));
  if (peer == peers.end()) wrong_usage("no such peer was built: " + options.text("peer"));
  Tally tally(options.text("tally"), options.number("jobs"));
  if (options.mode() == "setup") {
    peer->second->setup(options);
  } else if (options.mode() == "produce") {
    peer->second->produce(options, tally);
    std::printf("{\"seconds\": %.6f}\n", tally.seconds_since_begin());
  } else if (options.mode() == "work") {
    peer->second->work(options, tally);
  } else {
    wrong_usage("the mode is setup, produce or work");
  }
}
