// The stored state of producers, which makes them idempotent (a batch sent twice is stored once):
// for each producer its epoch, the number up to which it has the answers of its batches, and the
// answers to later batches, at most the last answers_max.
#pragma once

#include "core/change.h"
#include "core/command.h"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace millrace::core {

class ProducerTable {
 public:
  enum class Verdict : std::uint8_t {
    fresh,    // not seen: store it, then remember()
    known,    // stored before: give the first answer
    stale,    // an older epoch of this producer
    too_old,  // stored or refused, but its answer is no longer stored
  };
  struct Judgement {
    Verdict verdict = Verdict::fresh;
    BatchAnswer answer;  // when known
  };

  explicit ProducerTable(std::vector<ProducerRow> recovered);

  [[nodiscard]] Judgement judge(const ProducerStamp& stamp) const;
  // Stores the answer to the batch of that stamp, which was judged fresh.
  void remember(const ProducerStamp& stamp, const BatchAnswer& answer, std::int64_t now_wall_ms);

  // The rows that changed since the last call go into the commit.
  void flush(ChangeSet& changes);

 private:
  void forget_oldest();

  std::map<ProducerId, ProducerRow> rows_;
  std::set<ProducerId> touched_;
  std::vector<ProducerId> forgotten_;
};

}  // namespace millrace::core
