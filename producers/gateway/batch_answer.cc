#include "batch_answer.h"

#include "problem.h"

#include <nlohmann/json.hpp>

namespace millrace::gateway {

using nlohmann::json;

BatchAnswer::BatchAnswer(http::ExchangeRef exchange, std::size_t jobs, bool array,
                         GatewayMetrics* metrics)
    : exchange_(std::move(exchange)),
      outcomes_(jobs),
      left_(jobs),
      array_(array),
      metrics_(*metrics) {}

void BatchAnswer::add(std::size_t i, const Enqueued& outcome) {
  outcomes_[i] = outcome;
  switch (outcome.outcome) {
    case Outcome::stored: ++metrics_.stored; break;
    case Outcome::rejected: ++metrics_.rejected; break;
    default: ++metrics_.unknown; break;
  }
  if (--left_ == 0) exchange_->answer(answer());
}

http::Response BatchAnswer::answer() const {
  json ids = json::array();
  const Enqueued* failed = nullptr;
  for (const Enqueued& outcome : outcomes_) {
    const bool stored = outcome.outcome == Outcome::stored;
    ids.push_back(stored ? json(outcome.id.str()) : json(nullptr));
    if (!stored && failed == nullptr) failed = &outcome;
  }
  if (failed == nullptr) {
    http::Response created{201, "application/json", {}, {}};
    created.body = (array_ ? json{{"ids", ids}} : json{{"id", ids[0]}}).dump();
    if (!array_) created.headers.emplace_back("Location", "/v1/jobs/" + outcomes_[0].id.str());
    return created;
  }
  http::Response refused = problem(failed->error);
  if (array_) {  // null: not stored, or not known to be
    json body = json::parse(refused.body);
    body["ids"] = ids;
    refused.body = body.dump();
  }
  return refused;
}

}  // namespace millrace::gateway
