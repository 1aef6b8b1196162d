// A turn of the broker and its storage, which answers in the turn or later: commits in their order,
// loads in theirs, the one before the other or behind. A load returns the rows of the moment when
// it was requested, of the moment when it is answered, or of a moment between; they may include
// commits that were not answered to the broker yet.
#include "world.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace millrace::explore {

using namespace core;

// As docs/architecture.md has it: step, dispatch, commit, then all the rest.
void World::turn(Command command, bool broker_dies) {
  Turn& turn = turns_.emplace_back();
  engine_->step(std::move(command), now_, turn.effects);
  engine_->step(Dispatch{}, now_, turn.effects);
  for (const Worker& worker : workers_) turn.connections.push_back(worker.connection);
  turn.on_disk = turn.answered = turn.effects.changes.empty();
  if (bounds_.commits_max > 0) return leave();
  put_on_disk(turn);
  turn.answered = true;
  if (broker_dies) return crash();
  leave();
  while (!bounds_.late_answers && !asked_.empty()) answer_load(false, 0);
}

void World::put_on_disk(Turn& turn) {
  if (std::exchange(turn.on_disk, true)) return;
  const ChangeSet& changes = turn.effects.changes;
  judge_deaths(changes);
  try {
    store_.apply(changes);
  } catch (const std::exception& wrong) {
    demand(false, wrong.what());
  }
  for (Asked& asked : asked_) {
    asked.outdated = true;
    for (const core::Job& job : changes.inserts) asked.changed.insert(job.ref.seq);
    for (const JobUpdate& update : changes.updates) asked.changed.insert(update.row.ref.seq);
    for (const JobFinish& finish : changes.finishes) asked.changed.insert(finish.row.ref.seq);
  }
}

void World::put_on_disk(int commits) {
  for (Turn& turn : turns_) {
    if (turn.on_disk) continue;
    if (commits-- == 0) return;
    put_on_disk(turn);
  }
}

int World::not_on_disk() const {
  return static_cast<int>(
      std::count_if(turns_.begin(), turns_.end(), [](const Turn& turn) { return !turn.on_disk; }));
}

void World::commit_answered() {
  const auto oldest =
      std::find_if(turns_.begin(), turns_.end(), [](const Turn& turn) { return !turn.answered; });
  put_on_disk(*oldest);
  oldest->answered = true;
  leave();
}

void World::leave() {
  while (!turns_.empty() && turns_.front().answered) {
    Turn turn = std::move(turns_.front());
    turns_.pop_front();
    release(turn.effects, turn.connections);
    engine_->step(TurnLeft{}, now_, turn.effects);
    for (const Load& load : turn.effects.loads) asked_.push_back({load, store_.load(load), {}, {}});
  }
}

void World::answer_load(bool fresh, int commits) {
  put_on_disk(commits);
  Asked asked = std::move(asked_.front());
  asked_.pop_front();
  turn(fresh ? store_.load(asked.load) : std::move(asked.answer), false);
}

void World::storage_catches_up() {
  while (!turns_.empty() || !asked_.empty()) {
    turns_.empty() ? answer_load(false, 0) : commit_answered();
  }
}

}  // namespace millrace::explore
