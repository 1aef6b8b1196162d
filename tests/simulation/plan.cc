#include "plan.h"

#include <algorithm>
#include <array>
#include <random>

namespace millrace::testing {
namespace {

constexpr std::array<std::string_view, fault_kinds> names{
    "drop",          "duplicate",      "reorder",
    "delay",         "no_route",       "reset",
    "broker_pause",  "broker_kill",    "crash_at_send",
    "crash_at_disk", "crash_in_start", "disk_error",
    "disk_full",     "wall_jump",      "worker_pause",
    "worker_kill",   "worker_leave",   "worker_slow",
    "producer_kill", "producer_pause", "lie"};

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  // Inclusive.
  std::uint64_t from(std::uint64_t least, std::uint64_t most) {
    return least + random_() % (most - least + 1);
  }
  std::int64_t ms(std::int64_t least, std::int64_t most) {
    return least +
           static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(most - least + 1));
  }
  bool percent(std::uint64_t chance) { return random_() % 100 < chance; }
  template <typename Value, std::size_t count>
  Value one_of(const Value (&values)[count]) {
    return values[random_() % count];
  }

 private:
  std::mt19937_64 random_;
};

Fault draw_fault(FaultKind kind, const Plan& plan, Draw& draw) {
  Fault fault{kind, draw.ms(50, faults_until_ms), 0, draw.from(0, 30), draw.from(0, 1)};
  switch (kind) {
    case FaultKind::drop:
    case FaultKind::duplicate:
    case FaultKind::reorder:
      fault.for_ms = draw.ms(200, 2'500);
      fault.a = draw.from(20, 300);  // of a thousand messages
      break;
    case FaultKind::delay:
      fault.for_ms = draw.ms(200, 2'000);
      fault.a = draw.from(10, 250);  // ms
      break;
    case FaultKind::no_route: fault.for_ms = draw.ms(50, 1'500); break;
    case FaultKind::broker_pause: fault.for_ms = draw.ms(20, 4'000); break;
    case FaultKind::crash_in_start: fault.a = draw.from(1, 14); break;
    case FaultKind::crash_at_disk: fault.a = draw.from(1, 60); break;
    case FaultKind::disk_error: fault.b = draw.from(0, 3); break;
    case FaultKind::disk_full: fault.for_ms = draw.ms(100, 1'500); break;
    case FaultKind::wall_jump: fault.a = draw.from(0, std::size(wall_jumps_ms) - 1); break;
    case FaultKind::worker_pause: fault.for_ms = draw.ms(50, 3 * plan.lease_ms); break;
    case FaultKind::worker_slow:
    case FaultKind::producer_pause:
    case FaultKind::lie: fault.for_ms = draw.ms(200, 2'500); break;
    default: break;
  }
  return fault;
}

}  // namespace

std::string_view to_string(FaultKind kind) { return names[static_cast<std::size_t>(kind)]; }

std::string describe(const Fault& fault) {
  std::string text = std::to_string(fault.at_ms) + " ms " + std::string(to_string(fault.kind));
  if (fault.for_ms != 0) text += " for " + std::to_string(fault.for_ms) + " ms";
  return text + " (" + std::to_string(fault.a) + ", " + std::to_string(fault.b) + ")";
}

bool Plan::has(FaultKind kind) const {
  return std::any_of(faults.begin(), faults.end(),
                     [kind](const Fault& fault) { return fault.kind == kind; });
}

Plan make_plan(std::uint64_t seed) {
  Draw draw(seed * 0x9e3779b97f4a7c15ULL + 1);
  Plan plan;
  plan.seed = seed;
  plan.partitions = static_cast<std::uint32_t>(draw.from(1, 3));
  plan.attempts_max = static_cast<std::uint32_t>(draw.from(1, 5));
  plan.history = draw.percent(75);
  plan.producers = draw.from(1, 2);
  plan.workers = draw.from(1, 3);
  plan.jobs = draw.from(4, 36);
  plan.batch_max = draw.from(1, 5);
  plan.credit = draw.one_of({1ULL, 2ULL, 8ULL});
  plan.lease_ms = draw.ms(600, 1'500);
  plan.grace_ms = draw.ms(100, 800);
  plan.backoff_ms = draw.one_of({10LL, 60LL, 400LL});
  plan.work_ms = draw.one_of({0LL, 20LL, 150LL, 600LL});
  plan.jobs_until_ms = draw.ms(500, faults_until_ms);
  plan.retry_percent = draw.one_of({0ULL, 10ULL, 40ULL});
  plan.crash_percent = draw.one_of({0ULL, 0ULL, 10ULL});
  plan.cancel_percent = draw.one_of({0ULL, 20ULL});
  plan.due_percent = draw.one_of({0ULL, 0ULL, 30ULL});
  plan.key_percent = draw.one_of({0ULL, 50ULL, 100ULL});
  plan.priorities = draw.one_of({1ULL, 1ULL, 3ULL});
  plan.wal_bytes_max = draw.one_of({32LL << 10, 256LL << 10, 1LL << 20});
  // Derived from the seed without a draw, so that the seeds that were kept before there were query
  // clients give the same plan.
  plan.ask_percent = seed % 7 == 4 || seed % 7 == 6 ? 30 : 0;
  plan.late_store = seed % 5 == 2;  // likewise without a draw
  const auto window = seed % 35;    // 2, 17 and 27: of worlds with a late store
  plan.small_window = window == 2 || window == 10 || window == 17 || window == 27;
  // Each seed has kinds of its own, so that some worlds see much of one and nothing of others.
  std::vector<FaultKind> kinds;
  for (std::size_t kind = 0; kind < fault_kinds; ++kind) {
    if (draw.percent(35)) kinds.push_back(static_cast<FaultKind>(kind));
  }
  if (kinds.empty()) kinds.push_back(FaultKind::broker_kill);
  for (std::size_t left = draw.from(faults_min, faults_max); left > 0; --left) {
    plan.faults.push_back(draw_fault(kinds[draw.from(0, kinds.size() - 1)], plan, draw));
  }
  std::stable_sort(plan.faults.begin(), plan.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at_ms < b.at_ms; });
  return plan;
}

}  // namespace millrace::testing
