// The modes of bench_load, one function each; load_bench.cc lists their options.
#pragma once

#include "options.h"
#include "tally.h"

namespace millrace::bench {

inline constexpr const char* load_topic = "bench";
inline constexpr std::uint64_t load_partitions = 8;  // of a topic that is made on first use

// One producer with a window of open batches, at a pace or as fast as it is answered.
void produce(const Options& options, Tally& tally);
// Producers that each wait for the answer before they send the next job; all in one thread.
void one_by_one(const Options& options, Tally& tally);
// A worker that completes all it is given until the tally is full.
void work(const Options& options, Tally& tally);
// Workers one after another, each completing a share; the credit never exceeds what is left of it.
void drain(const Options& options);
// A worker that settles nothing: says "delivered" when it has been given so many jobs, and hands
// them back when its standard input ends.
void take(const Options& options);
// The broker's own count of commits and of the rows in them.
void status(const Options& options);

}  // namespace millrace::bench
