// SQLite alone with the rows of jobs: the reference for the broker.
#pragma once

#include <cstddef>
#include <string>

namespace millrace::bench {

struct Rates {  // rows a second
  double insert_per_s = 0;
  double remove_per_s = 0;       // one statement a row
  double remove_runs_per_s = 0;  // one statement a transaction, for rows that lie side by side
};

// Inserts rows in transactions of batch rows each and deletes them the same way, half of them row
// by row and half by runs, in a new file in folder, in WAL mode with synchronous=FULL. Ends the
// process with a sentence when SQLite fails.
Rates measure_sqlite(const std::string& folder, std::size_t rows, std::size_t batch,
                     std::size_t payload_bytes);

}  // namespace millrace::bench
