// Power losses under the real store: power_loss --losses N --recovery M [--from S] [--processes P]
// or --seed S [--trace]. A seed is a world: one file, its commits and checkpoints, and losses_each
// times the power is lost at some operation. Every acknowledged commit must be complete, the commit
// in flight complete or absent, the counts equal to the rows, and the file intact; recoveries_each
// of the losses strike again while the file is being recovered, and some while it is being made.
// Failing writes and syncs are mixed in: after one the store must answer nothing more.
#include "storage/sqlite_store.h"

#include "power_model.h"
#include "program.h"
#include "sim_disk.h"

#include <sqlite3.h>
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <optional>
#include <random>

namespace millrace::testing {
namespace {

constexpr std::uint64_t losses_each = 20, recoveries_each = 2;
constexpr const char* path = "/shard-0.db";
bool tracing = false;

template <typename... Args>
void trace(const char* format, Args... arguments) {
  if (!tracing) return;
  std::printf(format, arguments...);
  std::printf("\n");
}

class World {
 public:
  explicit World(std::uint64_t seed)
      : disk_("sim-" + std::to_string(::getpid()), seed), random_(seed * 31 + 7), model_(seed) {
    // SQLite's own choice of salts, too, comes from the seed.
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed), nullptr);
  }

  Violation run() {
    Violation wrong = open_and_compare(random_() % 2 == 0);
    for (std::uint64_t lost = 0; wrong.empty() && lost < losses_each;) {
      wrong = work();
      if (!wrong.empty()) return wrong;
      // Killed, or ended in order, as far as the disk lets it.
      if (random_() % 2 == 0) disk_.cut_power();
      store_.reset();
      const bool strikes = lost % (losses_each / recoveries_each) == 0;
      if (!lose()) {
        wrong = open_and_compare(false);
        continue;
      }
      ++lost;
      wrong = open_and_compare(strikes);
      if (!wrong.empty()) wrong += " (loss " + std::to_string(lost) + ")";
    }
    return wrong;
  }

 private:
  [[nodiscard]] bool open() {
    auto opened =
        storage::open_sqlite({.path = path,
                              .wal_bytes_max = wal_bytes_[random_() % std::size(wal_bytes_)],
                              .wal_bytes_quiet = 8'192,
                              .pack_jobs_min = 2,
                              .files = &disk_});
    if (!opened) {
      trace("  open: %s", opened.error().message.c_str());
      said_ = opened.error().message;
      return false;
    }
    store_ = std::move(*opened);
    const auto recovered = store_->recover();
    if (!recovered) {
      said_ = recovered.error().message;
      return false;
    }
    if (store_->epoch() <= epoch_) stale_epoch_ = true;
    epoch_ = store_->epoch();
    return true;
  }

  // The power goes in the middle of a recovery, or a write or a sync of it fails. Tried at ever
  // earlier operations until it was not faster.
  Violation strike(bool power) {
    bool struck = false;
    for (std::uint64_t within = 1ULL << random_() % 7; !struck; within = within / 2 + 1) {
      power ? disk_.cut_power_in(1 + random_() % within)
            : disk_.fail_in(1 + random_() % within, any_fault());
      const bool well = open();
      struck = power ? disk_.off() : disk_.failed();
      trace("  %s in recovery: %s", power ? "power off" : "fault",
            well ? "it was faster" : said_.c_str());
      if (!well && !struck) return "it does not open: " + said_;
      if (random_() % 2 == 0) disk_.cut_power();
      store_.reset();
      if (struck && power) {
        disk_.power_loss();
      } else {
        lose();
      }
    }
    return {};
  }

  Violation open_and_compare(bool struck) {
    for (std::uint64_t i = 0, strikes = struck ? 1 + random_() % 3 : 0; i < strikes; ++i) {
      Violation wrong = strike(i == 0 || random_() % 2 == 0);
      if (!wrong.empty()) return wrong;
    }
    if (!open()) return "it does not open: " + said_;
    if (stale_epoch_) return "an epoch came twice";
    Rows found;
    std::string wrong;
    if (!read_rows(path, disk_.vfs(), found, wrong)) return wrong;
    const std::string missing = difference(committed_.rows(), found);
    if (missing.empty()) {
      model_.go_back_to(committed_);
    } else if (!in_flight_ || !difference(model_.rows(), found).empty()) {
      const std::string beside = in_flight_ ? difference(model_.rows(), found) : "";
      return "not what was acknowledged: " + missing +
             (in_flight_ ? "; and not with the commit in flight: " + beside : "");
    }
    committed_ = model_;
    in_flight_ = false;
    return {};
  }

  DiskFault any_fault() {
    constexpr DiskFault faults[] = {DiskFault::io_error, DiskFault::no_space,
                                    DiskFault::short_write, DiskFault::lost_sync};
    return faults[random_() % std::size(faults)];
  }

  // Commits until something stops them.
  Violation work() {
    for (std::uint64_t i = random_() % 6; i > 0; --i) {
      if (!commit()) return "a commit failed on a sound disk";
    }
    const std::uint64_t way = random_() % 10;
    bool fatal = false;
    if (way < 7) {
      disk_.cut_power_in(1 + random_() % 24);
    } else if (way < 9) {
      const DiskFault fault = any_fault();
      // A disk that is full during a checkpoint has lost nothing.
      fatal = fault != DiskFault::no_space;
      disk_.fail_in(1 + random_() % 12, fault);
    } else {
      disk_.cut_power();  // between two operations
    }
    bool stopped = false;
    for (int i = 0; i < 30 && !stopped; ++i) {
      const bool struck = fatal && disk_.failed();
      stopped = !commit();
      if (struck && !stopped) return "it answered a commit after a failed write or sync";
      if (!stopped && random_() % 3 == 0) stopped = !store_->upkeep(10);
    }
    return stopped ? try_again() : Violation();
  }

  // It may have been the disk's fault alone: nothing more is answered all the same.
  Violation try_again() {
    const PowerModel before = model_;
    const bool was_in_flight = in_flight_;
    const bool answered = commit();
    model_ = before;
    in_flight_ = was_in_flight;
    return answered ? "it answered a commit after a failed one" : "";
  }

  bool commit() {
    core::ChangeSet changes = model_.next();
    std::optional<bool> well;
    store_->commit(std::move(changes), [&well](auto answer) { well = answer.has_value(); });
    in_flight_ = !well.value();
    trace("  commit: %s, %llu operations", in_flight_ ? "failed" : "ok",
          static_cast<unsigned long long>(disk_.operations()));
    if (in_flight_) return false;
    committed_ = model_;
    return true;
  }

  // False: the process died only, and the system still has every write.
  bool lose() {
    disk_.cut_power();
    const bool system_lives = random_() % 6 == 0;
    trace("  %s", system_lives ? "the process dies" : "power loss");
    system_lives ? disk_.process_crash() : disk_.power_loss();
    return !system_lives;
  }

  static constexpr std::int64_t wal_bytes_[] = {16 << 10, 64 << 10, 1 << 20};
  SimDisk disk_;
  std::mt19937_64 random_;
  PowerModel model_;
  PowerModel committed_{0};
  bool in_flight_ = false;  // model_ holds a commit that was not answered well
  std::unique_ptr<storage::Store> store_;
  std::string said_;
  std::uint64_t epoch_ = 0;  // the last one that recover() gave
  bool stale_epoch_ = false;
};

Violation run_world(std::uint64_t seed) { return World(seed).run(); }

}  // namespace
}  // namespace millrace::testing

int main(int count, char** words) {
  using namespace millrace::testing;
  std::uint64_t losses = 20'000, recovery = 0, from = 1, processes = 2, seed = 0, trace = 0;
  read_options(
      count, words,
      {{"losses", &losses, "power losses (20000)"},
       {"recovery", &recovery, "of them, with more losses during recovery (a tenth, at least)"},
       {"from", &from, "the first seed (1)"},
       {"processes", &processes, "at once (2)"},
       {"seed", &seed, "this seed alone"},
       {"trace", &trace, "say each step", true}});
  if (seed != 0) {
    tracing = trace != 0;
    const Violation wrong = run_world(seed);
    if (!wrong.empty())
      std::printf("VIOLATION seed %llu: %s\n", static_cast<unsigned long long>(seed),
                  wrong.c_str());
    std::printf("%d passed, %d failed\n", wrong.empty() ? 1 : 0, wrong.empty() ? 0 : 1);
    return wrong.empty() ? 0 : 1;
  }
  const std::uint64_t worlds =
      std::max({std::uint64_t{1}, losses / losses_each, recovery / recoveries_each});
  const std::uint64_t violations = run_seeds({.program = "tests/run power",
                                              .unit = "power losses",
                                              .first = from,
                                              .count = worlds,
                                              .processes = processes,
                                              .seconds_max = 60,
                                              .counts_each = losses_each},
                                             run_world);
  losses = worlds * losses_each;
  recovery = worlds * recoveries_each;
  std::printf("%llu power losses, %llu of them also during recovery, in %llu files\n",
              static_cast<unsigned long long>(losses), static_cast<unsigned long long>(recovery),
              static_cast<unsigned long long>(worlds));
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(worlds - violations),
              static_cast<unsigned long long>(violations));
  return violations == 0 ? 0 : 1;
}
