#include "admin/gauges.h"

#include <algorithm>
#include <map>
#include <utility>

namespace millrace::admin {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

prometheus::MetricFamily family(std::string name, std::string help) {
  prometheus::MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = prometheus::MetricType::Gauge;
  return made;
}

void add(prometheus::MetricFamily& family, Labels labels, double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

// Sums over shards, and over the topics that share a label; the oldest job is the oldest of all.
std::map<std::string, TopicDepth> by_label(
    const std::vector<ShardSnapshot>& shards,
    const std::function<std::string(std::string_view)>& label) {
  std::map<std::string, TopicDepth> sums;
  for (const ShardSnapshot& shard : shards) {
    if (shard.topics == nullptr) continue;
    for (const TopicDepth& depth : *shard.topics) {
      TopicDepth& sum = sums[label(depth.topic)];
      sum.scheduled += depth.scheduled;
      sum.available += depth.available;
      sum.running += depth.running;
      sum.retryable += depth.retryable;
      sum.dead += depth.dead;
      sum.oldest_available_ms = std::max(sum.oldest_available_ms, depth.oldest_available_ms);
    }
  }
  return sums;
}

// The gauges of the shards' stores, one metric family for each name.
void add_store(const std::vector<ShardSnapshot>& shards,
               std::vector<prometheus::MetricFamily>& all) {
  std::map<std::string_view, prometheus::MetricFamily> families;
  for (std::size_t s = 0; s < shards.size(); ++s) {
    for (const auto& gauge : shards[s].store) {
      auto& named = families[gauge.name];
      if (named.metric.empty()) {
        named = family("millrace_" + std::string(gauge.name), std::string(gauge.help));
      }
      add(named, {{"shard", std::to_string(s)}}, static_cast<double>(gauge.value));
    }
  }
  for (auto& [name, named] : families) all.push_back(std::move(named));
}

}  // namespace

std::vector<prometheus::MetricFamily> gauges_of(
    const std::vector<ShardSnapshot>& shards,
    const std::function<std::string(std::string_view)>& label) {
  auto jobs = family("millrace_jobs", "Stored jobs by state");
  auto oldest =
      family("millrace_oldest_available_seconds", "Waiting time of the oldest available job");
  for (const auto& [topic, depth] : by_label(shards, label)) {
    const std::pair<const char*, std::uint64_t> states[] = {{"scheduled", depth.scheduled},
                                                            {"available", depth.available},
                                                            {"running", depth.running},
                                                            {"retryable", depth.retryable},
                                                            {"dead", depth.dead}};
    for (const auto& [state, count] : states) {
      add(jobs, {{"topic", topic}, {"state", state}}, static_cast<double>(count));
    }
    add(oldest, {{"topic", topic}}, static_cast<double>(depth.oldest_available_ms) / 1'000);
  }
  auto workers = family("millrace_workers", "Worker sessions");
  auto credit = family("millrace_credit_free",
                       "Number of jobs that the workers can still accept, by their credit");
  for (std::size_t s = 0; s < shards.size(); ++s) {
    const Labels labels{{"shard", std::to_string(s)}};
    add(workers, labels, static_cast<double>(shards[s].workers));
    add(credit, labels, static_cast<double>(shards[s].credit_free));
  }
  std::vector<prometheus::MetricFamily> all{std::move(jobs), std::move(oldest), std::move(workers),
                                            std::move(credit)};
  add_store(shards, all);
  return all;
}

std::vector<prometheus::MetricFamily> connections_of(const net::ConnectionFacts& facts) {
  const auto one = [](const char* name, const char* help, std::uint64_t value, bool counter) {
    auto made = family(name, help);
    add(made, {}, static_cast<double>(value));
    if (!counter) return made;
    made.type = prometheus::MetricType::Counter;
    made.metric.front().counter.value = static_cast<double>(value);
    return made;
  };
  return {
      one("millrace_connections", "Client connections to all shards", facts.open, false),
      one("millrace_connections_max",
          "Maximum number of client connections, from the limit of open files", facts.room, false),
      one("millrace_connections_refused_total",
          "Connections that were refused because the maximum was reached", facts.refused, true),
      one("millrace_connections_silent_total",
          "Connections that were closed because they did not say HELLO", facts.silent, true)};
}

}  // namespace millrace::admin
