#include "search.h"

#include "arena.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <unordered_map>

namespace millrace::explore {
namespace {

constexpr std::uint64_t progress_states = 1U << 18U;

// The history being followed, for the case that an invariant of the engine ends the process.
std::vector<Action>* current_path = nullptr;

void print_path(const std::vector<Action>& path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    std::printf("  %2zu %s\n", i + 1, path[i].str().c_str());
  }
}

extern "C" void on_abort(int /*signal*/) {
  std::printf("the engine stopped itself after:\n");
  if (current_path != nullptr) print_path(*current_path);
  std::printf("0 passed, 1 failed\n");
  std::fflush(stdout);
  std::_Exit(1);
}

class Search {
 public:
  Search(const Bounds& bounds, const Limits& limits,
         const std::function<void(const SearchResult&)>& progress)
      : bounds_(bounds), limits_(limits), progress_(progress) {
    current_path = &path_;
    std::signal(SIGABRT, on_abort);
    const Arena::Scope scope;
    world_ = new World(bounds);
  }
  ~Search() {
    const Arena::Scope scope;
    delete world_;
    current_path = nullptr;
  }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  SearchResult run() {
    start_.take();
    here_.take();
    if (enter()) {
      descend();
      out_.complete = !stopped_ && out_.violation.empty();
    }
    start_.restore();
    if (!out_.violation.empty()) shorten();
    return std::move(out_);
  }

 private:
  struct Frame {
    std::vector<Action> actions;
    std::size_t next = 0;
    Image::Undo undo;
  };

  // The arena holds a state: true when it is new. here_ is an image of it then.
  bool enter() {
    const int faults = world_->faults();
    const auto [known, fresh] = seen_.try_emplace(world_->fingerprint(), faults);
    // Seen with fewer faults used up: all that can follow has been looked at.
    if (!fresh && known->second <= faults) return false;
    known->second = faults;
    if (fresh && ++out_.states % progress_states == 0) progress_(out_);
    return true;
  }

  void descend() {
    std::vector<Frame> stack;
    stack.push_back({world_->possible(), 0, {}});
    while (!stack.empty() && !stopped_) {
      Frame& frame = stack.back();
      if (frame.next == frame.actions.size()) {
        here_.go_back(frame.undo);
        here_.restore();
        stack.pop_back();
        if (!path_.empty()) path_.pop_back();
        continue;
      }
      const Action action = frame.actions[frame.next++];
      path_.push_back(action);
      out_.depth = std::max(out_.depth, path_.size());
      if (!follow(action)) return;
      if (!enter()) {
        here_.restore();
        path_.pop_back();
        continue;
      }
      Image::Undo undo = here_.advance();
      if (!look_for_way_out()) return;
      stack.push_back({world_->possible(), 0, std::move(undo)});
      stopped_ = (limits_.states_max != 0 && out_.states >= limits_.states_max) ||
                 (out_.states % 256 == 0 && limits_.until.time_since_epoch().count() != 0 &&
                  std::chrono::steady_clock::now() > limits_.until);
    }
  }

  bool follow(const Action& action) {
    ++out_.transitions;
    return judged([&] { world_->apply(action); });
  }

  // here_ is the state; the way out is walked in the arena and forgotten.
  bool look_for_way_out() {
    const bool found = judged([&] { world_->demand_way_out(); });
    here_.restore();
    return found;
  }

  template <typename Step>
  bool judged(Step step) {
    std::optional<Violation> violation;
    {
      const Arena::Scope scope;
      try {
        step();
      } catch (const Violation& thrown) {
        violation = thrown;
      }
    }
    if (!violation) return true;
    out_.violation = violation->text.data();
    out_.path = path_;
    return false;
  }

  // The same violation, without the actions that do not matter.
  void shorten() {
    for (bool shorter = true; shorter;) {
      shorter = false;
      for (std::size_t i = 0; i < out_.path.size(); ++i) {
        std::vector<Action> attempt = out_.path;
        attempt.erase(attempt.begin() + static_cast<std::ptrdiff_t>(i));
        if (!violates(attempt)) continue;
        out_.path = std::move(attempt);
        shorter = true;
        break;
      }
    }
  }

  bool violates(const std::vector<Action>& path) {
    start_.restore();
    bool possible = true;
    std::optional<Violation> violation;
    for (const Action& action : path) {
      const auto all = world_->possible();
      possible = std::any_of(all.begin(), all.end(),
                             [&](const Action& one) { return one.str() == action.str(); });
      if (!possible || violation) break;
      const Arena::Scope scope;
      try {
        world_->apply(action);
      } catch (const Violation& thrown) {
        violation = thrown;
      }
    }
    if (!violation && possible) {
      const Arena::Scope scope;
      try {
        world_->demand_way_out();
      } catch (const Violation& thrown) {
        violation = thrown;
      }
    }
    start_.restore();
    return violation && out_.violation == violation->text.data();
  }

  Bounds bounds_;
  Limits limits_;
  const std::function<void(const SearchResult&)>& progress_;
  World* world_ = nullptr;
  Image start_, here_;
  std::unordered_map<std::uint64_t, int> seen_;  // state, fewest faults that led to it
  std::vector<Action> path_;
  SearchResult out_;
  bool stopped_ = false;
};

}  // namespace

SearchResult explore(const Bounds& bounds, const Limits& limits,
                     const std::function<void(const SearchResult&)>& progress) {
  return Search(bounds, limits, progress).run();
}

}  // namespace millrace::explore
