#include "core/producer_table.h"

#include <algorithm>

namespace millrace::core {

ProducerTable::ProducerTable(std::vector<ProducerRow> recovered) {
  for (auto& row : recovered) {
    const ProducerId id = row.id;
    rows_.emplace(id, std::move(row));
  }
}

ProducerTable::Judgement ProducerTable::judge(const ProducerStamp& stamp) const {
  const auto found = rows_.find(stamp.id);
  if (found == rows_.end()) return {};
  const ProducerRow& row = found->second;
  if (stamp.epoch < row.epoch) return {Verdict::stale, {}};
  if (stamp.epoch > row.epoch || row.answers.empty()) return {};
  for (const BatchAnswer& answer : row.answers) {
    if (answer.batch == stamp.batch) return {Verdict::known, answer};
  }
  // A number inside the window that has no answer was never stored: batches may arrive out of
  // order after a reconnect. Below the window no answers are stored.
  const bool below = stamp.batch + answers_max <= row.answers.back().batch;
  if (stamp.batch <= row.answered || below) return {Verdict::too_old, {}};
  return {};
}

void ProducerTable::remember(const ProducerStamp& stamp, const BatchAnswer& answer,
                             std::int64_t now_wall_ms) {
  if (rows_.find(stamp.id) == rows_.end() && rows_.size() >= producers_max) forget_oldest();
  std::erase(forgotten_, stamp.id);
  ProducerRow& row = rows_[stamp.id];
  if (stamp.epoch > row.epoch) row = {};
  row.id = stamp.id;
  row.epoch = stamp.epoch;
  row.seen_ms = now_wall_ms;
  row.answered = std::max(row.answered, stamp.answered);
  const auto place =
      std::upper_bound(row.answers.begin(), row.answers.end(), answer.batch,
                       [](std::uint64_t batch, const BatchAnswer& a) { return batch < a.batch; });
  row.answers.insert(place, answer);
  const std::uint64_t highest = row.answers.back().batch;
  std::erase_if(row.answers, [highest, answered = row.answered](const BatchAnswer& a) {
    return a.batch <= answered || a.batch + answers_max <= highest;
  });
  touched_.insert(stamp.id);
}

void ProducerTable::flush(ChangeSet& changes) {
  for (const ProducerId& id : forgotten_) changes.producers_dropped.push_back(id);
  forgotten_.clear();
  for (const ProducerId& id : touched_) changes.producers_put.push_back(rows_.at(id));
  touched_.clear();
}

void ProducerTable::forget_oldest() {
  auto oldest = rows_.begin();
  for (auto it = rows_.begin(); it != rows_.end(); ++it) {
    if (it->second.seen_ms < oldest->second.seen_ms) oldest = it;
  }
  // A producer that was added and dropped in one turn has no row yet; dropping it then is harmless.
  forgotten_.push_back(oldest->first);
  touched_.erase(oldest->first);
  rows_.erase(oldest);
}

}  // namespace millrace::core
