#include "admin/metrics.h"

#include "admin/gauges.h"
#include "wire/codec.h"

#include <prometheus/text_serializer.h>
#include <iterator>

namespace millrace::admin {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets& run_buckets() {  // seconds: from a lookup to a video
  static const Buckets buckets{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1'800, 3'600};
  return buckets;
}
const Buckets& commit_buckets() {  // seconds
  static const Buckets buckets{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                               0.025,  0.05,    0.1,    0.25,  0.5,    1,     2.5};
  return buckets;
}
const Buckets& batch_buckets() {  // jobs
  static const Buckets buckets{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1'024, 4'096, 16'384};
  return buckets;
}

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

// Whether the event ends a run: a job that was cancelled or expired while it waited has no run.
bool ends_run(const core::Event& event) {
  using core::EventKind;
  switch (event.kind) {
    case EventKind::completed:
    case EventKind::retried:
    case EventKind::released:
    case EventKind::crashed: return true;
    case EventKind::cancelled:
    case EventKind::died: return event.session != core::SessionId{};
    default: return false;
  }
}

}  // namespace

Metrics::Metrics()
    : jobs_(prometheus::BuildCounter()
                .Name("millrace_jobs_total")
                .Help("Jobs by event, since the process started")
                .Register(registry_)),
      run_seconds_(prometheus::BuildHistogram()
                       .Name("millrace_run_seconds")
                       .Help("Time from the delivery of a job to its outcome")
                       .Register(registry_)),
      commit_seconds_(prometheus::BuildHistogram()
                          .Name("millrace_commit_seconds")
                          .Help("Duration of a commit")
                          .Register(registry_)),
      commit_jobs_(prometheus::BuildHistogram()
                       .Name("millrace_commit_jobs")
                       .Help("Number of jobs that one commit enqueued or ended")
                       .Register(registry_)),
      backups_(prometheus::BuildCounter()
                   .Name("millrace_backups_total")
                   .Help("Backups by outcome, since the process started")
                   .Register(registry_)),
      backup_time_(gauge(registry_, "millrace_backup_last_timestamp_seconds",
                         "Start time of the newest complete backup; 0: there is none")),
      backup_seconds_(gauge(registry_, "millrace_backup_last_duration_seconds",
                            "Duration of the newest complete backup")),
      backup_bytes_(
          gauge(registry_, "millrace_backup_last_bytes", "Size of the newest complete backup")) {
  for (const auto ended : {runtime::BackupState::done, runtime::BackupState::failed}) {
    backups_.Add({{"outcome", std::string(wire::backup_state_name(ended))}});
  }
}

void Metrics::on_backup(const runtime::BackupReport& report) {
  using runtime::BackupState;
  if (report.state == BackupState::done || report.state == BackupState::failed) {
    backups_.Add({{"outcome", std::string(wire::backup_state_name(report.state))}}).Increment();
  }
  backup_time_.Set(static_cast<double>(report.last.made_ms) / 1'000);
  backup_seconds_.Set(static_cast<double>(report.last.took_ms) / 1'000);
  backup_bytes_.Set(static_cast<double>(report.last.bytes));
}

Metrics::Topics::iterator Metrics::find(std::string_view name) {
  const auto known = topics_.find(name);
  if (known != topics_.end()) return known;
  const std::string label(topics_.size() < topic_labels_max ? name : "other");
  const auto [made, is_new] = topics_.try_emplace(label);
  if (!is_new) return made;
  for (std::size_t kind = 0; kind < job_events; ++kind) {
    const std::string outcome(to_string(static_cast<core::EventKind>(kind)));
    made->second.events[kind] = &jobs_.Add({{"topic", label}, {"outcome", outcome}});
  }
  made->second.run_seconds = &run_seconds_.Add({{"topic", label}}, run_buckets());
  return made;
}

TopicMetrics& Metrics::topic(std::string_view name) {
  const std::lock_guard lock(mutex_);
  return find(name)->second;
}

std::string Metrics::label(std::string_view topic) {
  const std::lock_guard lock(mutex_);
  return find(topic)->first;
}

ShardMetrics Metrics::shard(std::size_t shard) {
  const prometheus::Labels labels{{"shard", std::to_string(shard)}};
  return {&commit_seconds_.Add(labels, commit_buckets()),
          &commit_jobs_.Add(labels, batch_buckets())};
}

std::string Metrics::text(const std::vector<ShardSnapshot>& shards) {
  auto gauges = gauges_of(shards, [this](std::string_view topic) { return label(topic); });
  auto families = registry_.Collect();
  std::move(gauges.begin(), gauges.end(), std::back_inserter(families));
  auto connections = connections_of(net::ConnectionLimiter::instance().facts());
  std::move(connections.begin(), connections.end(), std::back_inserter(families));
  return prometheus::TextSerializer().Serialize(families);
}

TopicMetrics& MetricsHook::topic(core::TopicId id, std::string_view name) {
  if (topics_.size() <= id) topics_.resize(id + 1);
  if (topics_[id] == nullptr) topics_[id] = &metrics_.topic(name);
  return *topics_[id];
}

void MetricsHook::on_event(const core::Event& event, std::string_view name) {
  const auto kind = static_cast<std::size_t>(event.kind);
  if (kind >= job_events) return;
  TopicMetrics& metrics = topic(event.ref.topic, name);
  metrics.events[kind]->Increment(event.count);
  if (ends_run(event)) metrics.run_seconds->Observe(static_cast<double>(event.run_ms) / 1'000);
}

void MetricsHook::on_commit(std::uint64_t us, std::size_t jobs) {
  shard_.commit_seconds->Observe(static_cast<double>(us) / 1'000'000);
  shard_.commit_jobs->Observe(static_cast<double>(jobs));
}

}  // namespace millrace::admin
