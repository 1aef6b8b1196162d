#include "core/request_table.h"

#include <algorithm>

namespace millrace::core {
namespace {

RequestRow row_of(const ChangeId& id, RequestKind kind, const ReplyBody& answer, Now now) {
  RequestRow row{id, kind, now.wall_ms, 0, false};
  std::visit(
      [&row](const auto& body) {
        if constexpr (requires { body.store(row); }) body.store(row);
      },
      answer);
  return row;
}

}  // namespace

RequestTable::RequestTable(const std::vector<RequestRow>& recovered, std::int64_t now_mono_ms) {
  for (const RequestRow& row : recovered) {
    known_.emplace(row.id, row);
    by_age_.emplace_back(now_mono_ms, row.id);
  }
}

RequestTable::Judgement RequestTable::judge(const ChangeId& id, RequestKind kind, RequestId from,
                                            Now now, ChangeSet& changes) {
  if (const auto known = known_.find(id); known != known_.end()) {
    if (known->second.kind != kind) return {Verdict::another, nullptr};
    return {Verdict::known, &known->second};
  }
  if (const auto first = first_of_.find(id); first != first_of_.end()) {
    UnderWay& under_way = under_way_.at(first->second);
    if (under_way.kind != kind) return {Verdict::another, nullptr};
    if (under_way.copies.size() >= parked_max) return {Verdict::full, nullptr};
    under_way.copies.push_back(from);
    return {Verdict::under_way, nullptr};
  }
  if (!make_room(now.mono_ms, changes)) return {Verdict::full, nullptr};
  under_way_.emplace(from, UnderWay{id, kind, {}});
  first_of_.emplace(id, from);
  return {};
}

std::vector<RequestId> RequestTable::ended(const Reply& reply, Now now, ChangeSet& changes) {
  const auto found = under_way_.find(reply.request);
  if (found == under_way_.end()) return {};
  UnderWay done = std::move(found->second);
  under_way_.erase(found);
  first_of_.erase(done.id);
  if (!std::holds_alternative<Refused>(reply.body)) {
    const RequestRow row = row_of(done.id, done.kind, reply.body, now);
    known_.emplace(row.id, row);
    by_age_.emplace_back(now.mono_ms, row.id);
    changes.requests_put.push_back(row);
  }
  return std::move(done.copies);
}

void RequestTable::drop_old(std::int64_t now_mono_ms, ChangeSet& changes) {
  for (std::size_t i = 0; i < requests_dropped_max && !by_age_.empty(); ++i) {
    if (now_mono_ms - by_age_.front().first < request_kept_ms) return;
    drop_oldest(changes);
  }
}

bool RequestTable::make_room(std::int64_t now_mono_ms, ChangeSet& changes) {
  if (known_.size() + under_way_.size() < requests_max) return true;
  if (by_age_.empty() || now_mono_ms - by_age_.front().first < request_kept_ms_min) return false;
  drop_oldest(changes);
  return true;
}

void RequestTable::drop_oldest(ChangeSet& changes) {
  changes.requests_dropped.push_back(by_age_.front().second);
  known_.erase(by_age_.front().second);
  by_age_.pop_front();
}

}  // namespace millrace::core
