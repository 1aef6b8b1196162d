// The metrics of the whole process, as Prometheus reads them. Counters and histograms are updated
// with each event; gauges are made from the shards' snapshots when they are scraped.
// Threads: any. A hook looks a topic up once and keeps the references.
#pragma once

#include "admin/shard_snapshots.h"
#include "runtime/backup_service.h"
#include "runtime/hooks.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::admin {

// The maximum number of topics with series of their own; further topics share topic="other".
inline constexpr std::size_t topic_labels_max = 1'024;

inline constexpr std::size_t job_events = static_cast<std::size_t>(core::EventKind::purged) + 1;

struct TopicMetrics {
  std::array<prometheus::Counter*, job_events> events{};  // by kind
  prometheus::Histogram* run_seconds = nullptr;
};
struct ShardMetrics {
  prometheus::Histogram* commit_seconds = nullptr;
  prometheus::Histogram* commit_jobs = nullptr;
};

class Metrics {
 public:
  Metrics();

  [[nodiscard]] TopicMetrics& topic(std::string_view name);
  [[nodiscard]] ShardMetrics shard(std::size_t shard);
  // A backup succeeded or failed; with state none, the newest backup of an earlier process.
  void on_backup(const runtime::BackupReport& report);
  // The topic's name, or "other".
  [[nodiscard]] std::string label(std::string_view topic);
  // All metrics in the text format of Prometheus.
  [[nodiscard]] std::string text(const std::vector<ShardSnapshot>& shards);

 private:
  using Topics = std::map<std::string, TopicMetrics, std::less<>>;
  Topics::iterator find(std::string_view name);

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& jobs_;
  prometheus::Family<prometheus::Histogram>& run_seconds_;
  prometheus::Family<prometheus::Histogram>& commit_seconds_;
  prometheus::Family<prometheus::Histogram>& commit_jobs_;
  prometheus::Family<prometheus::Counter>& backups_;
  prometheus::Gauge &backup_time_, &backup_seconds_,
      &backup_bytes_;  // of the newest complete backup
  std::mutex mutex_;   // guards topics_
  Topics topics_;
};

// Counts the events of one shard.
class MetricsHook : public runtime::Hooks {
 public:
  MetricsHook(Metrics& metrics, std::size_t shard)
      : metrics_(metrics), shard_(metrics.shard(shard)) {}
  void on_event(const core::Event& event, std::string_view name) override;
  void on_commit(std::uint64_t us, std::size_t jobs) override;

 private:
  TopicMetrics& topic(core::TopicId id, std::string_view name);

  Metrics& metrics_;
  ShardMetrics shard_;
  std::vector<TopicMetrics*> topics_;  // by id
};

}  // namespace millrace::admin
