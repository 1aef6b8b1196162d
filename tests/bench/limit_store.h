// The store process of the limit pipeline: the minimum work of a durable queue, and nothing else.
#pragma once

#include "tally.h"

#include <string>

namespace millrace::bench::limit {

struct StoreOptions {
  std::string producers, workers;  // endpoints to bind
  std::string folder;              // of its SQLite file
  std::uint64_t workers_count = 2;
  std::uint64_t jobs = 0;
};

// Says "ready" on standard output when its workers have come; ends when jobs rows were deleted.
void run_store(const StoreOptions& options, Tally& tally);

}  // namespace millrace::bench::limit
