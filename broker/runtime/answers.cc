#include "runtime/answers.h"

#include "wire/codec.h"

#include <algorithm>

namespace millrace::runtime {
namespace {

std::vector<std::uint64_t> owners(std::uint32_t partitions, core::ShardMap shards) {
  std::vector<std::uint64_t> map;
  for (std::uint32_t p = 0; p < partitions; ++p) map.push_back(shards.shard_of(p));
  return map;
}

std::string topology_body(const wire::Topology& asked, const core::Engine& engine,
                          const Topology& topology, const core::EngineOptions& options,
                          core::Now now) {
  wire::TopologyOk body;
  for (const auto& shard : topology) body.shards.emplace_back(shard.begin(), shard.end());
  body.default_partitions = owners(options.new_topic.partitions, options.map);
  std::vector<core::TopicStats> all;
  if (asked.topics.empty()) all = engine.topics(now);
  for (const auto& stats : all) {
    if (body.topics.size() == wire::topics_max) break;
    body.topics.emplace_back(stats.topic.name,
                             owners(stats.topic.settings.partitions, options.map));
  }
  for (const auto name : asked.topics) {
    const core::Topic* topic = engine.topic(name);
    if (topic == nullptr) continue;
    body.topics.emplace_back(name, owners(topic->settings.partitions, options.map));
  }
  return wire::encode(body);
}

std::string topics_body(const wire::TopicName& asked, const core::Engine& engine, core::Now now) {
  const auto all = engine.topics(now);
  wire::TopicsOk body;
  for (const auto& s : all) {
    if (!asked.topic.empty() && s.topic.name != asked.topic) continue;
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

std::string sessions_body(const core::Engine& engine, core::Now now) {
  const auto all = engine.sessions(now);
  wire::SessionsOk body;
  for (const auto& s : all) {
    if (body.sessions.size() == wire::topics_max) break;
    wire::SessionView view;
    view.session = s.id;
    view.name = s.name;
    view.role = "worker";
    view.topics.assign(s.topics.begin(), s.topics.end());
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

std::string status_body(const core::Engine& engine, const ShardFacts& facts, core::ShardMap map,
                        core::Now now) {
  wire::ShardView view;
  view.version = facts.version;
  view.shard = facts.shard;
  view.shards = map.shards();
  view.uptime_ms = facts.uptime_ms;
  view.epoch = facts.epoch;
  view.sessions = view.workers = engine.sessions(now).size();
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
  view.grace_ms = static_cast<std::uint64_t>(engine.grace_ms(now));
  view.check = facts.check;
  return wire::encode(view);
}

}  // namespace

std::string answer(const net::Question& question, wire::Verb verb, const core::Engine& engine,
                   const Topology& topology, const core::EngineOptions& options,
                   const ShardFacts& facts, core::Now now) {
  if (const auto* asked = std::get_if<wire::Topology>(&question)) {
    return topology_body(*asked, engine, topology, options, now);
  }
  if (const auto* asked = std::get_if<wire::TopicName>(&question)) {
    return topics_body(*asked, engine, now);
  }
  if (verb == wire::Verb::status) return status_body(engine, facts, options.map, now);
  if (verb == wire::Verb::sessions) return sessions_body(engine, now);
  return wire::encode(wire::Empty{});
}

}  // namespace millrace::runtime
