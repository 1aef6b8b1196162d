// Power losses under the real store: power_loss --losses N --recovery M [--from S] [--processes P]
// or --seed S [--trace]. A seed is a world: one file, its commits and checkpoints, and losses_each
// times the power goes at some operation. What was acknowledged must be there whole, the commit in
// flight whole or not at all, and the file sound; recoveries_each of the losses strike again while
// the file is being recovered. Failing writes and syncs are mixed in: after one the store must
// answer nothing more.
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
    Violation wrong = open_and_compare(false);
    for (std::uint64_t i = 0; wrong.empty() && i < losses_each; ++i) {
      wrong = work();
      if (!wrong.empty()) return wrong;
      // Killed, or ended in order, as far as the disk lets it.
      if (random_() % 2 == 0) disk_.cut_power();
      store_.reset();
      lose();
      wrong = open_and_compare(i % (losses_each / recoveries_each) == 0);
      if (!wrong.empty()) wrong += " (loss " + std::to_string(i + 1) + ")";
    }
    return wrong;
  }

 private:
  [[nodiscard]] bool open() {
    auto opened =
        storage::open_sqlite({.path = path,
                              .wal_bytes_max = wal_bytes_[random_() % std::size(wal_bytes_)],
                              .wal_bytes_quiet = 8'192,
                              .files = &disk_});
    if (!opened) {
      trace("  open: %s", opened.error().message.c_str());
      said_ = opened.error().message;
      return false;
    }
    store_ = std::move(*opened);
    const auto recovered = store_->recover();
    if (!recovered) said_ = recovered.error().message;
    return recovered.has_value();
  }

  // The power goes again and again while it recovers, then it may.
  Violation open_and_compare(bool strike) {
    for (std::uint64_t i = strike ? 1 + random_() % 3 : 0; i > 0; --i) {
      disk_.cut_power_in(1 + random_() % 12);
      const bool well = open();
      trace("  struck in recovery: %s", well ? "it was faster" : "it failed");
      store_.reset();
      disk_.power_loss();
    }
    if (!open()) return "it does not open: " + said_;
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

  // Commits until something stops them.
  Violation work() {
    for (std::uint64_t i = random_() % 6; i > 0; --i) {
      if (!commit()) return "a commit failed on a sound disk";
    }
    const std::uint64_t way = random_() % 10;
    if (way < 7) {
      disk_.cut_power_in(1 + random_() % 24);
    } else if (way < 9) {
      constexpr DiskFault faults[] = {DiskFault::io_error, DiskFault::no_space,
                                      DiskFault::short_write, DiskFault::lost_sync};
      disk_.fail_in(1 + random_() % 12, faults[random_() % std::size(faults)]);
    } else {
      disk_.cut_power();  // between two operations
    }
    for (int i = 0; i < 30; ++i) {
      if (!commit() || (random_() % 3 == 0 && !store_->upkeep(10))) break;
    }
    if (!in_flight_) return {};
    // It may have been the disk's fault alone: nothing more is answered all the same.
    const PowerModel before = model_;
    const bool answered = commit();
    model_ = before;
    in_flight_ = true;
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

  void lose() {
    disk_.cut_power();
    const bool system_lives = random_() % 6 == 0;
    trace("  %s", system_lives ? "the process dies" : "power loss");
    system_lives ? disk_.process_crash() : disk_.power_loss();
  }

  static constexpr std::int64_t wal_bytes_[] = {16 << 10, 64 << 10, 1 << 20};
  SimDisk disk_;
  std::mt19937_64 random_;
  PowerModel model_;
  PowerModel committed_{0};
  bool in_flight_ = false;  // model_ holds a commit that was not answered well
  std::unique_ptr<storage::Store> store_;
  std::string said_;
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
  std::printf("%llu power losses, %llu of them also during recovery, in %llu files\n",
              static_cast<unsigned long long>(worlds * losses_each),
              static_cast<unsigned long long>(worlds * recoveries_each),
              static_cast<unsigned long long>(worlds));
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(worlds - violations),
              static_cast<unsigned long long>(violations));
  return violations == 0 ? 0 : 1;
}
