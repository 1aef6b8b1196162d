// Checks a history against the guarantees of docs/durability.md, independently of the broker's
// code. Each rule is sound for what was recorded: it speaks only where no order of events that the
// recorder may have missed would make the history a good one. Rules, and their names:
//   lost      an acknowledged job has its row, an accepted outcome or cancel is in it; without
//             history the row of a job that was done or cancelled may be gone
//   twice     one job a tag, one accepted end a job, no delivery after it
//   token     a token is given once; a job's tokens rise, over restarts too
//   fence     only the holder of a job's newest token settles it
//   order     jobs of one key are numbered in the order they were taken in, and first given so
//   attempts  attempts are counted and stay within the limit, three deaths quarantine
//   dead      dead are exactly those that were exhausted, discarded or quarantined
//   counts    submitted is the sum over the states, in the counters and in the rows
//   nowhere   each row, delivery and end goes back to a request of a client
//   end       when faults are over every job ends
//   early     no run before its time
//   cancel    no run after its acknowledged cancel
//   told      an answer about a job: no other end than its own and none undone, no absence of one
//             that is kept, no state that was over before the question
//   integrity the store's own check is clean
//   prefix    rows of a restored backup are those of one moment of the history
#pragma once

#include "history.h"

#include <string>
#include <vector>

namespace millrace::testing {

struct HistoryViolation {
  std::string rule, job, what;
};

// The rows at the end are the broker's own after the run.
[[nodiscard]] std::vector<HistoryViolation> check_history(const History& history);
// The rows at the end are those of a restored backup: only prefix, twice, nowhere and integrity.
[[nodiscard]] std::vector<HistoryViolation> check_restored(const History& history);

}  // namespace millrace::testing
