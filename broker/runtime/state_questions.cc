#include "runtime/state_questions.h"

#include "net/dispatcher.h"
#include "wire/codec.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace millrace::runtime {
namespace {

std::vector<std::uint64_t> owners(std::uint32_t partitions, core::ShardMap shards) {
  std::vector<std::uint64_t> map;
  for (std::uint32_t p = 0; p < partitions; ++p) map.push_back(shards.shard_of(p));
  return map;
}

bool sees_all(const ShardState& state) {
  return state.key == nullptr || access::covers_all(*state.key);
}
bool sees(const ShardState& state, std::string_view topic) {
  return state.key == nullptr || access::covers(*state.key, topic);
}

std::string topology(const wire::Topology& asked, const ShardState& state) {
  const core::Engine& engine = state.engine;
  const core::EngineOptions& options = state.options;
  wire::TopologyOk body;
  const bool far = state.key != nullptr && !state.advertised.empty();
  for (const auto& shard : far ? state.advertised : state.topology)
    body.shards.emplace_back(shard.begin(), shard.end());
  body.default_partitions = owners(options.new_topic.partitions, options.map);
  std::vector<core::TopicStats> all;
  if (asked.topics.empty()) all = engine.topics(state.now);
  for (const auto& stats : all) {
    if (body.topics.size() == wire::topics_max) break;
    if (!sees(state, stats.topic.name)) continue;
    body.topics.emplace_back(stats.topic.name,
                             owners(stats.topic.settings.partitions, options.map));
  }
  for (const auto name : asked.topics) {
    const core::Topic* topic = engine.topic(name);
    if (topic == nullptr || !sees(state, name)) continue;
    body.topics.emplace_back(name, owners(topic->settings.partitions, options.map));
  }
  return wire::encode(body);
}

std::string topics(const wire::TopicName& asked, const ShardState& state) {
  const auto all = state.engine.topics(state.now);
  wire::TopicsOk body;
  for (const auto& s : all) {
    if (!asked.topic.empty() && s.topic.name != asked.topic) continue;
    if (!sees(state, s.topic.name)) continue;
    if (body.topics.size() == wire::topics_max) break;
    wire::TopicView view;
    view.topic = s.topic.name;
    view.partitions = s.topic.settings.partitions;
    view.paused = s.topic.paused;
    view.attempts_max = s.topic.settings.attempts_max;
    view.history = s.topic.settings.history;
    view.scheduled = s.scheduled;
    view.available = s.available;
    view.running = s.running;
    view.retryable = s.retryable;
    view.dead = s.dead;
    view.enqueued = s.enqueued;
    view.completed = s.completed;
    view.cancelled = s.cancelled;
    view.retried = s.retried;
    view.died = s.died;
    view.oldest_available_ms = static_cast<std::uint64_t>(s.oldest_available_ms);
    view.workers = s.workers;
    body.topics.push_back(view);
  }
  return wire::encode(body);
}

std::string sessions(const wire::Empty& /*asked*/, const ShardState& state) {
  const auto all = state.engine.sessions(state.now);
  wire::SessionsOk body;
  for (const auto& s : all) {
    if (body.sessions.size() == wire::topics_max) break;
    std::vector<std::string_view> seen;
    for (const auto& topic : s.topics) {
      if (sees(state, topic)) seen.push_back(topic);
    }
    if (seen.empty() && !sees_all(state)) continue;
    wire::SessionView view;
    view.session = s.id;
    view.name = s.name;
    view.role = "worker";
    view.topics = std::move(seen);
    view.credit = s.credit;
    view.running = s.running;
    view.silent_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, s.silent_ms));
    body.sessions.push_back(std::move(view));
  }
  return wire::encode(body);
}

std::uint64_t percentile(std::vector<std::uint64_t> values, std::size_t percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, values.size() * percent / 100)];
}

// Of a store that has no such value: 0.
std::uint64_t gauge_of(const StoreGauges& gauges, std::string_view name) {
  const auto found =
      std::find_if(gauges.begin(), gauges.end(), [&](const auto& g) { return g.name == name; });
  return found == gauges.end() ? 0 : found->value;
}

std::string status(const wire::Empty& /*asked*/, const ShardState& state) {
  const core::Engine& engine = state.engine;
  const ShardFacts& facts = state.facts;
  wire::ShardView view;
  view.version = facts.version;
  view.shard = facts.shard;
  view.shards = state.options.map.shards();
  view.uptime_ms = facts.uptime_ms;
  view.epoch = facts.epoch;
  view.sessions = view.workers = engine.sessions(state.now).size();
  view.credit_free = engine.credit_free();
  view.commits = facts.commits;
  view.commit_us_p50 = percentile(facts.commit_us, 50);
  view.commit_us_p99 = percentile(facts.commit_us, 99);
  view.batch_mean = facts.commits == 0 ? 0
                                       : static_cast<double>(facts.batch_jobs) /
                                             static_cast<double>(facts.commits);
  view.wal_bytes = gauge_of(facts.store_gauges, "wal_bytes");
  view.store_bytes = facts.store_bytes;
  view.disk_free_bytes = facts.disk_free_bytes;
  view.accepting = facts.accepting;
  view.grace_ms = static_cast<std::uint64_t>(engine.grace_ms(state.now));
  view.check = facts.check;
  return wire::encode(view);
}

std::string heartbeat(const wire::Empty& asked, const ShardState& /*state*/) {
  return wire::encode(asked);
}

// A body that says nothing is not looked at: clients of every version may send what they like.
template <typename Body, std::string (*answer)(const Body&, const ShardState&)>
Result<std::string> answer_body(std::string_view body, const ShardState& state) {
  if constexpr (std::is_same_v<Body, wire::Empty>) return answer({}, state);
  return net::read_body<Body>(body, state.key).map([&state](const Body& asked) {
    return answer(asked, state);
  });
}

struct StateQuestion {
  wire::Verb verb;
  Result<std::string> (*answer)(std::string_view body, const ShardState& state);
};
constexpr StateQuestion state_questions[] = {
    {wire::Verb::heartbeat, answer_body<wire::Empty, heartbeat>},
    {wire::Verb::topology, answer_body<wire::Topology, topology>},
    {wire::Verb::topics, answer_body<wire::TopicName, topics>},
    {wire::Verb::status, answer_body<wire::Empty, status>},
    {wire::Verb::sessions, answer_body<wire::Empty, sessions>},
};

}  // namespace

Result<std::string> answer_question(wire::Verb verb, std::string_view body,
                                    const ShardState& state) {
  for (const StateQuestion& row : state_questions) {
    if (row.verb == verb) return row.answer(body, state);
  }
  return tl::unexpected(
      Error{ErrorCode::unknown_verb, "the verb is not a query of a shard's state", {}});
}

}  // namespace millrace::runtime
