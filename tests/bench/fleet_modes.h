// The modes of bench_load with many topics, keys and workers; load_bench.cc lists the options.
#pragma once

#include "options.h"
#include "tally.h"

namespace millrace::bench {

// One small job to each of so many topics, which makes them.
void fill_topics(const Options& options);
// Jobs at a pace, over all of the topics and keys.
void spread(const Options& options);
// Many worker sessions in one process, each for its share of the topics, until the tally is full.
void fleet(const Options& options, Tally& tally);

}  // namespace millrace::bench
