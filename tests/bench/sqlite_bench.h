// What SQLite alone does with the rows of jobs: the yardstick for the broker.
#pragma once

#include <cstddef>
#include <string>

namespace millrace::bench {

struct Rates {
  double insert_per_s = 0, remove_per_s = 0;  // rows
};

// Inserts rows in transactions of batch rows each and deletes them the same way, in a new file in
// folder, in WAL mode with synchronous=FULL. Ends the process with a sentence when SQLite fails.
Rates measure_sqlite(const std::string& folder, std::size_t rows, std::size_t batch,
                     std::size_t payload_bytes);

// Seconds since some moment, monotonic.
double seconds();

}  // namespace millrace::bench
