#include "late_store.h"

#include <algorithm>
#include <utility>

namespace millrace::testing {

void LateStore::commit(core::ChangeSet&& changes, Committed done) {
  commits_.push_back({std::move(changes), std::move(done), {}});
  if (!late) answer_all();
}

void LateStore::load(const core::Load& load, Loaded done) {
  loads_.push_back({load, std::move(done), {}});
  if (!late) answer_all();
}

// As one that talks to a server: there is nothing to do here while something is under way.
storage::Expected<bool> LateStore::upkeep(std::int64_t budget_ms) {
  if (!commits_.empty()) return false;
  return store_->upkeep(budget_ms);
}

void LateStore::write(Commit& commit) {
  if (commit.result) return;
  store_->commit(std::move(commit.changes), [&](auto result) { commit.result = result; });
}

void LateStore::read(Question& question) {
  if (question.result) return;
  store_->load(question.load, [&](auto result) { question.result = std::move(result); });
}

bool LateStore::write_commit() {
  const auto next = std::find_if(commits_.begin(), commits_.end(),
                                 [](const Commit& commit) { return !commit.result; });
  if (next == commits_.end()) return false;
  write(*next);
  return true;
}

bool LateStore::answer_commit() {
  if (commits_.empty()) return false;
  Commit commit = std::move(commits_.front());
  commits_.pop_front();
  write(commit);
  commit.done(*commit.result);
  return true;
}

bool LateStore::read_load() {
  const auto next = std::find_if(loads_.begin(), loads_.end(),
                                 [](const Question& question) { return !question.result; });
  if (next == loads_.end()) return false;
  read(*next);
  return true;
}

bool LateStore::answer_load() {
  if (loads_.empty()) return false;
  Question question = std::move(loads_.front());
  loads_.pop_front();
  read(question);
  question.done(std::move(*question.result));
  return true;
}

void LateStore::answer_all() {
  while (answer_commit() || answer_load()) {
  }
}

void LateStore::lose_connection(const std::string& why) {
  const storage::Failure lost{storage::FailureKind::io, why};
  for (auto& commit : std::exchange(commits_, {})) commit.done(tl::unexpected(lost));
  for (auto& question : std::exchange(loads_, {})) question.done(tl::unexpected(lost));
}

}  // namespace millrace::testing
