#include "world.h"

#include "hostile_client.h"
#include "machine.h"
#include "producer.h"
#include "query_client.h"
#include "worker.h"

#include <sqlite3.h>
#include <algorithm>
#include <memory>
#include <vector>

namespace millrace::testing {
namespace {

constexpr std::int64_t step_ms = 5;
constexpr std::int64_t wall_at_start_ms = 1'700'000'000'000;
// After the faults: what was far in the future comes, and then every job has ended.
constexpr std::int64_t time_comes_ms = 2'000, ends_ms = 20'000;
constexpr std::int64_t margin_ms = 3'600'000;  // more than a job is ever put off

class World {
 public:
  World(const Plan& plan, bool tracing)
      : plan_(plan),
        recorder_(tracing),
        network_(plan.seed * 3 + 1,
                 plan.producers + plan.workers + 2 + (plan.ask_percent > 0 ? 1 : 0), recorder_),
        around_{plan_, network_, recorder_, wall_at_start_ms, false},
        machine_(around_) {
    for (std::size_t i = 0; i < plan.producers; ++i) {
      const std::size_t jobs = plan.jobs / plan.producers;
      producers_.push_back(std::make_unique<Producer>(around_, clients_++, jobs));
    }
    for (std::size_t i = 0; i < plan.workers; ++i) {
      workers_.push_back(std::make_unique<Worker>(around_, clients_++));
    }
    canceller_ = std::make_unique<Canceller>(around_, clients_++);
    liar_ = std::make_unique<HostileClient>(around_, clients_++);
    if (plan.ask_percent > 0) asker_ = std::make_unique<QueryClient>(around_, clients_++);
  }

  RunResult run() {
    std::int64_t now_ms = 0;
    while (recorder_.violation.empty() && now_ms < faults_until_ms) step(now_ms += step_ms);
    end_faults();
    const std::int64_t limit_ms = now_ms + ends_ms;
    const std::int64_t comes_ms = now_ms + time_comes_ms;
    while (recorder_.violation.empty() && now_ms < limit_ms && !all_ended()) {
      if (now_ms == comes_ms && plan_.has(FaultKind::wall_jump)) let_all_times_come();
      step(now_ms += step_ms);
    }
    for (auto& producer : producers_) producer->give_up();
    machine_.finish();
    return judge();
  }

 private:
  void step(std::int64_t now_ms) {
    recorder_.set_now(now_ms);
    around_.wall_ms += step_ms;
    set_weather(now_ms);
    while (next_fault_ < plan_.faults.size() && plan_.faults[next_fault_].at_ms <= now_ms) {
      strike(plan_.faults[next_fault_++]);
    }
    if (disk_full_until_ms_ != 0 && now_ms >= disk_full_until_ms_) {
      disk_full_until_ms_ = 0;
      machine_.fill_disk(false);
    }
    machine_.step();
    for (auto& producer : producers_) producer->step();
    for (auto& worker : workers_) worker->step();
    if (plan_.cancel_percent > 0) canceller_->step();
    if (plan_.has(FaultKind::lie)) liar_->step();
    if (asker_) asker_->step();
  }

  void set_weather(std::int64_t now_ms) {
    Weather weather;
    for (const Fault& fault : plan_.faults) {
      if (around_.faults_over || now_ms < fault.at_ms || now_ms >= fault.at_ms + fault.for_ms) {
        continue;
      }
      if (fault.kind == FaultKind::drop) weather.drop = fault.a;
      if (fault.kind == FaultKind::duplicate) weather.duplicate = fault.a;
      if (fault.kind == FaultKind::reorder) weather.reorder = fault.a;
      if (fault.kind == FaultKind::delay) weather.delay_ms = static_cast<std::int64_t>(fault.a);
    }
    network_.weather = weather;
  }

  void jump(std::int64_t by_ms) {
    HistoryEvent clock;
    clock.kind = EventKind::clock;
    clock.wall_ms = around_.wall_ms;
    recorder_.add(std::move(clock));
    latest_wall_ms_ = std::max(latest_wall_ms_, around_.wall_ms);
    around_.wall_ms += by_ms;
  }

  // What waits for a time that was made while the clock stood years ahead.
  void let_all_times_come() {
    const std::int64_t latest_ms = latest_wall_ms_ + margin_ms - around_.wall_ms;
    jump(std::max(3 * ten_years_ms, latest_ms));
  }

  void strike(const Fault& fault) {
    recorder_.note("FAULT", describe(fault));
    const std::int64_t until_ms = recorder_.now_ms() + fault.for_ms;
    const bool flag = fault.b == 1;
    Worker& worker = *workers_[fault.a % workers_.size()];
    Producer& producer = *producers_[fault.a % producers_.size()];
    switch (fault.kind) {
      case FaultKind::drop:
      case FaultKind::duplicate:
      case FaultKind::reorder:
      case FaultKind::delay: return;  // weather
      case FaultKind::no_route:
        network_.unreachable_until_ms[fault.a % clients_] = until_ms;
        return;
      case FaultKind::reset: return network_.reset(fault.a % clients_, flag);
      case FaultKind::broker_pause: return machine_.pause_until(until_ms);
      case FaultKind::broker_kill: return machine_.kill(flag);
      case FaultKind::crash_at_send: return machine_.crash_after_sends(fault.a, flag);
      case FaultKind::crash_at_disk: return machine_.crash_after_operations(fault.a, flag);
      case FaultKind::crash_in_start: return machine_.crash_in_start(fault.a, flag);
      case FaultKind::disk_error:
        return machine_.fail_operation(fault.a, static_cast<DiskFault>(fault.b));
      case FaultKind::disk_full: disk_full_until_ms_ = until_ms; return machine_.fill_disk(true);
      case FaultKind::wall_jump: return jump(wall_jumps_ms[fault.a]);
      case FaultKind::worker_pause: return worker.pause_until(until_ms);
      case FaultKind::worker_kill:
        if (flag) machine_.worker_died(worker.session());
        return worker.kill();
      case FaultKind::worker_leave: return worker.leave();
      case FaultKind::worker_slow: return worker.slow_until(until_ms);
      case FaultKind::producer_kill: return producer.kill();
      case FaultKind::producer_pause: return producer.pause_until(until_ms);
      case FaultKind::lie: return liar_->lie_until(until_ms);
    }
  }

  void end_faults() {
    recorder_.add(EventKind::faults_over);
    around_.faults_over = true;
    jump(wall_at_start_ms + recorder_.now_ms() - around_.wall_ms);
    machine_.pause_until(0);
    machine_.calm();
    for (auto& worker : workers_) worker->pause_until(0);
    for (auto& producer : producers_) producer->pause_until(0);
    std::fill(network_.unreachable_until_ms.begin(), network_.unreachable_until_ms.end(), 0);
  }

  bool all_ended() const {
    const auto idle = [](const auto& client) { return client->idle(); };
    return std::all_of(producers_.begin(), producers_.end(), idle) &&
           std::all_of(workers_.begin(), workers_.end(), idle) && machine_.all_ended();
  }

  RunResult judge() {
    RunResult outcome;
    outcome.events = recorder_.history().size();
    outcome.digest = recorder_.digest();
    if (!recorder_.violation.empty()) {
      outcome.violations = outcome.violation = recorder_.violation;
      return outcome;
    }
    for (const HistoryEvent& event : recorder_.history()) {
      if (event.kind != EventKind::final || event.word != "cancelled") continue;
      if (!recorder_.not_cancelled.contains(event.job)) continue;
      outcome.violations = outcome.violation =
          "the cancel of " + event.job + " was done and refused";
      return outcome;
    }
    for (const auto& [rule, job, what] : check_history(recorder_.history())) {
      std::string line = rule;
      line.append(" ").append(job.empty() ? "-" : job).append(": ").append(what);
      if (outcome.violation.empty()) outcome.violation = line;
      outcome.violations += line + "\n";
    }
    return outcome;
  }

  const Plan& plan_;
  Recorder recorder_;
  Network network_;
  Surroundings around_;
  Machine machine_;
  std::size_t clients_ = 0, next_fault_ = 0;
  std::int64_t disk_full_until_ms_ = 0;
  std::int64_t latest_wall_ms_ = 0;  // that any job was made at
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Canceller> canceller_;
  std::unique_ptr<HostileClient> liar_;
  std::unique_ptr<QueryClient> asker_;  // null: nobody looks at jobs
};

}  // namespace

RunResult run_world(const Plan& plan, bool tracing) {
  // SQLite's own choice of salts, too, comes from the seed.
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(plan.seed & 0x7fffffff),
                       nullptr);
  return World(plan, tracing).run();
}

}  // namespace millrace::testing
