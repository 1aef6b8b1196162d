// Load on a broker, directly over the protocol; prints its results as one JSON object.
//   bench_load produce endpoint=E jobs=N payload=B batch=N window=BATCHES [tally=T] [pace=JOBS_A_S]
//   bench_load one     endpoint=E jobs=N payload=B producers=N [samples=F]
//   bench_load work    endpoint=E jobs=N tally=T credit=N [samples=F]
//   bench_load drain   endpoint=E jobs=N credit=N share=N
//   bench_load take    endpoint=E jobs=N
//   bench_load status  endpoint=E
//   bench_load topics  endpoint=E topics=N                     one job to each, which makes it
//   bench_load spread  endpoint=E jobs=N topics=N keys=N pace=JOBS_A_S
//   bench_load fleet   endpoint=E jobs=N topics=N workers=N tally=T samples=F
#include "fleet_modes.h"
#include "load_modes.h"

int main(int count, char** arguments) {
  using namespace millrace::bench;
  const Options options(count, arguments,
                        {"endpoint", "jobs", "payload", "batch", "window", "tally", "pace",
                         "producers", "samples", "credit", "share", "topics", "keys", "workers"});
  Tally tally(options.text("tally"), options.number("jobs"));
  if (options.mode() == "produce") {
    produce(options, tally);
  } else if (options.mode() == "one") {
    one_by_one(options, tally);
  } else if (options.mode() == "work") {
    work(options, tally);
  } else if (options.mode() == "drain") {
    drain(options);
  } else if (options.mode() == "take") {
    take(options);
  } else if (options.mode() == "status") {
    status(options);
  } else if (options.mode() == "topics") {
    fill_topics(options);
  } else if (options.mode() == "spread") {
    spread(options);
  } else if (options.mode() == "fleet") {
    fleet(options, tally);
  } else {
    wrong_usage("the mode is produce, one, work, drain, take, status, topics, spread or fleet");
  }
}
